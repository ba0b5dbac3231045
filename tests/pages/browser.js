// A browser, and the server under test.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

import axe from 'axe-core'
import { chromium } from 'playwright-core'

const { API_URL = 'http://127.0.0.1:8080', CHROMIUM = '/usr/bin/chromium' } = process.env
const screenshots = fileURLToPath(new URL('../../target/pages/', import.meta.url))
mkdirSync(screenshots, { recursive: true })

export const url = (path) => new URL(path, API_URL).href
export const repository = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Runs a test with a browser of its own. */
export async function withBrowser(run) {
  // Root may not use the sandbox of Chromium, and the pages under test are our own.
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  try {
    await run(browser)
  } finally {
    await browser.close()
  }
}

/**
 * Opens a page whose console and requests are watched. `role` is the label of a person of the demonstration, or its
 * beginning.
 */
export async function open(browser, path, { role, width = 1400, theme = 'light', locale = 'en-GB', context } = {}) {
  const own = context ?? (await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme, locale }))
  if (role) await own.addInitScript((label) => localStorage.setItem('participant-registry:role', label), await labelOf(role))
  const page = await own.newPage()
  const faults = []
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => faults.push(error.stack))
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (!['data:', 'blob:'].includes(protocol) && origin !== new URL(API_URL).origin) faults.push(`foreign: ${request.url()}`)
  })
  page.assertSound = () => assert.deepEqual(faults, [])
  page.figure = async (name) => digits(await page.locator(`[data-figure="${name}"]`).first().textContent())
  await page.goto(url(path))
  return page
}

/** Returns the number in a text, whatever separates its thousands. */
export const digits = (text) => Number(text.replace(/\D/g, ''))

/** Saves a picture of the page to target/pages, to be looked at. */
export async function picture(page, name) {
  await page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true })
}

/** Fails if axe finds a serious fault. */
export async function assertAccessible(page) {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
  assert.deepEqual(told, [])
}

/** Fails if the page is wider than the window. */
export async function assertFits(page) {
  const [page_, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth])
  assert(page_ <= window_, `the page is ${page_} px wide, and the window ${window_}`)
}

const tokens = async () => (await (await fetch(url('/pages/settings.json'))).json()).tokens

async function labelOf(role) {
  const found = (await tokens()).find((it) => it.role === role)
  assert(found, `the demonstration has no ${role}`)
  return found.label
}

/** Asks the API in the name of a role of the demonstration. */
export async function api(role, query, variables = {}) {
  const { token } = (await tokens()).find((it) => it.role === role)
  return ask(token, query, variables)
}

/** Asks the API with a token. */
export async function ask(token, query, variables = {}) {
  const response = await fetch(url('/graphql'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = await response.json()
  assert.equal(errors, undefined, JSON.stringify(errors))
  return data
}

export const require = createRequire(import.meta.url)

/** Starts a batch of the demonstration's partner, which waits for its file. Returns its id. */
export async function startBatch(fileName) {
  const { viewer } = await api('PARTNER', '{ viewer { employer { id province { code } } } }')
  const provinceCode = viewer.employer.province.code
  const filterBy = { provinceCode, open: true, kind: ['GOVERNMENT_UNIT'] }
  const { channels } = await api('PARTNER', 'query ($filterBy: ChannelFilter!) { channels(first: 1, filterBy: $filterBy) { nodes { code } } }', { filterBy })
  const channelCode = channels.nodes[0].code
  const input = { fileName, employerId: viewer.employer.id, provinceCode, channelCode, startsOn: '2014-11-01', planOnly: true }
  const mutation = 'mutation ($input: StartOnboardingInput!) { startOnboarding(input: $input) { batch { id } errors { message } } }'
  const { startOnboarding } = await api('PARTNER', mutation, { input })
  assert.deepEqual(startOnboarding.errors, [])
  return startOnboarding.batch.id
}

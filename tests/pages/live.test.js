// Pages that stay open: tokens that expire, and queries that fail for a moment.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { api, open, startBatch, withBrowser } from './browser.js'

const state = (page, name) => page.locator(`[data-state="${name}"]`).waitFor({ timeout: 60_000 })

/**
 * Gives the pages of a context a first token that has `OLD` before it. Requests with it are sent on with the real one, unless
 * `refuse(request)` returns an answer. Returns how often the page has asked for tokens.
 */
async function withOldToken(context, refuse) {
  const OLD = 'old-'
  const asked = { times: 0 }
  await context.route('**/pages/settings.json', async (route) => {
    const response = await route.fetch()
    const settings = await response.json()
    asked.times += 1
    const before = asked.times === 1 ? OLD : ''
    const tokens = settings.tokens.map((it) => ({ ...it, token: before + it.token }))
    await route.fulfill({ response, json: { ...settings, tokens } })
  })
  await context.route('**/graphql', (route) => {
    const headers = route.request().headers()
    if (!headers.authorization.includes(OLD)) return route.continue()
    const answer = refuse(route.request())
    if (answer) return route.fulfill(answer)
    return route.continue({ headers: { ...headers, authorization: headers.authorization.replace(OLD, '') } })
  })
  return asked
}

const cancel = async (batchId) => {
  const mutation = 'mutation ($input: CancelOnboardingInput!) { cancelOnboarding(input: $input) { errors { message } } }'
  const { cancelOnboarding } = await api('PARTNER', mutation, { input: { batchId, reason: 'A test' } })
  assert.deepEqual(cancelOnboarding.errors, [])
}

const REFUSAL = { errors: [{ message: 'Send a valid token.', extensions: { code: 'UNAUTHENTICATED', retryable: false } }] }

test('a stream that is refused for its token is opened again with a new one', () =>
  withBrowser(async (browser) => {
    const batch = await startBatch('stream.csv')
    const context = await browser.newContext({ locale: 'en-GB' })
    await withOldToken(context, (request) => {
      if (!request.headers().accept.includes('event-stream')) return null
      const body = `event: next\ndata: ${JSON.stringify(REFUSAL)}\n\nevent: complete\ndata: \n\n`
      return { contentType: 'text/event-stream; charset=utf-8', body }
    })
    const page = await open(browser, `/onboarding/${batch}`, { role: 'PARTNER', context })
    await state(page, 'RECEIVING')
    await cancel(batch)
    await state(page, 'CANCELLED')
    page.assertSound()
  }))

test('a query that fails after an event runs again until it succeeds', () =>
  withBrowser(async (browser) => {
    const batch = await startBatch('query.csv')
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = await open(browser, `/onboarding/${batch}`, { role: 'PARTNER', context })
    await state(page, 'RECEIVING')
    let failures = 2
    await page.route('**/graphql', (route) => {
      if (!route.request().postData().includes('query Batch(') || failures === 0) return route.continue()
      failures -= 1
      const json = { errors: [{ message: 'Too busy just now.', extensions: { code: 'OVERLOADED', retryable: true } }] }
      return route.fulfill({ status: 503, json })
    })
    await cancel(batch)
    await page.getByText('Too busy just now.').waitFor()
    await state(page, 'CANCELLED')
    assert.equal(await page.getByText('Too busy just now.').count(), 0)
  }))

test('a page that is looked at again asks what has changed', () =>
  withBrowser(async (browser) => {
    const batch = await startBatch('again.csv')
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = await open(browser, `/onboarding/${batch}`, { role: 'PARTNER', context })
    await state(page, 'RECEIVING')
    for (const event of ['online', 'visibilitychange']) {
      const asked = page.waitForRequest((request) => request.postData()?.includes('query Batch('))
      await page.evaluate((name) => (name === 'online' ? window : document).dispatchEvent(new Event(name)), event)
      await asked
    }
    await cancel(batch)
    page.assertSound()
  }))

test('a new token of the same person leaves the form as it is filled in', () =>
  withBrowser(async (browser) => {
    const context = await browser.newContext({ locale: 'en-GB' })
    let hasExpired = false
    const asked = await withOldToken(context, () => hasExpired && { status: 401, json: REFUSAL })
    const page = await open(browser, '/onboarding', { role: 'ADMINISTRATOR', context })
    const day = page.getByLabel('First day of coverage')
    await day.fill('2014-11-01')
    hasExpired = true
    const employers = page.waitForResponse((response) => response.ok() && response.request().postData()?.includes('query Employers'))
    await page.getByLabel('Province of residence').selectOption('75')
    await employers
    assert.equal(await day.inputValue(), '2014-11-01')
    assert.equal(await page.getByLabel('Province of residence').inputValue(), '75')
    assert.equal(asked.times, 2, 'employers and channels are loaded with one new token')
  }))

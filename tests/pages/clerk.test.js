// /onboarding: what happens to a clerk beside the straight way.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import { readCsv } from '../../pages/src/ui/csv.js'
import { assertAccessible, assertFits, open, picture, startBatch, url, withBrowser } from './browser.js'

const state = (page, name) => page.locator(`[data-state="${name}"]`).waitFor({ timeout: 60_000 })
const asks = (operation) => (request) => request.postData()?.includes(`${operation}(`)

/** A roster of one row that is refused, since its NIK is too short. */
function refusedRoster(name) {
  const row = `16710102088500;198508022005011001;Budi Contoh;02/08/1985;L;${crypto.randomUUID()}`
  return { name, mimeType: 'text/csv', buffer: Buffer.from(`NIK;NIP;NAMA;TGL LAHIR;L/P;CATATAN\n${row}\n`) }
}

async function cancelInPage(page) {
  await page.getByText('Cancel this batch').click()
  await page.getByLabel(/^Reason/).fill('A test')
  await page.getByRole('button', { name: 'Cancel the batch' }).click()
  await state(page, 'CANCELLED')
}

test('a batch that waits for its file is cancelled by its sender or by somebody who may approve it', () =>
  withBrowser(async (browser) => {
    for (const role of ['PARTNER', 'APPROVER']) {
      const batch = await startBatch('waits.csv')
      const other = await open(browser, `/onboarding/${batch}`, { role: 'OFFICER' })
      await state(other, 'RECEIVING')
      assert.equal(await other.getByText('Cancel this batch').count(), 0)
      const page = await open(browser, `/onboarding/${batch}`, { role, width: 390 })
      await state(page, 'RECEIVING')
      await assertAccessible(page)
      await cancelInPage(page)
      await state(other, 'CANCELLED')
      page.assertSound()
    }
  }))

test('a clerk with too many open batches is led to them', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/onboarding', { role: 'PARTNER' })
    await page.route('**/graphql', (route) => {
      if (!asks('mutation Start')(route.request())) return route.continue()
      const errors = [{ code: 'CONFLICT', path: ['input', 'fileName'], message: 'Too many have not ended.', hint: null }]
      return route.fulfill({ json: { data: { startOnboarding: { batch: null, errors } } } })
    })
    await page.getByLabel('Choose a file').setInputFiles(refusedRoster('many.csv'))
    await page.getByRole('status').filter({ hasText: 'many.csv, 1 KiB' }).waitFor()
    const described = await page.getByLabel('Choose a file').getAttribute('aria-describedby')
    assert.equal(await page.locator(`[id="${described}"]`).textContent(), 'many.csv, 1 KiB')
    await page.getByLabel('First day of coverage').fill('2014-11-01')
    await page.getByRole('button', { name: 'Check this file' }).click()
    await page.getByText('Too many have not ended.').waitFor()
    await page.getByRole('link', { name: 'The files that wait are in the list below.' }).click()
    await page.waitForFunction(() => document.getElementById('batches').getBoundingClientRect().top < window.innerHeight)
    page.assertSound()
  }))

test('corrected rows are sent once, however often the button is pressed', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/onboarding', { role: 'PARTNER', width: 360 })
    await page.getByLabel('Choose a file').setInputFiles(refusedRoster('twice.csv'))
    await page.getByLabel('First day of coverage').fill('2014-11-01')
    await page.getByRole('button', { name: 'Check this file' }).click()
    await state(page, 'AWAITING_APPROVAL')

    // On a phone the row is a block, so that all of it is in sight.
    const cell = page.getByLabel('NIK in line 2', { exact: true })
    await cell.waitFor()
    const block = page.locator('.rows tbody tr').first()
    assert.match((await block.innerText()).replace(/\s+/g, ' '), /^Line 2 ?·? ?NIK /)
    const [problem, input] = [await block.locator('td').last().boundingBox(), await cell.boundingBox()]
    assert(problem.x >= 0 && problem.x + problem.width <= 360, JSON.stringify(problem))
    assert(input.x + input.width <= 360 && input.width > 250 && input.y >= problem.y + problem.height, JSON.stringify(input))
    await assertFits(page)
    await assertAccessible(page)
    await picture(page, 'onboarding-rows-phone')

    // The columns of a download are in the language of the page, and so are its cells.
    await page.getByRole('button', { name: /^ID/ }).click()
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Rencana: unduh sebagai CSV' }).click()
    const table = readCsv(await readFile(await (await download).path(), 'utf8'))
    assert.deepEqual(table.slice(0, 2), [['Hasil', 'Baris'], ['Didaftarkan', '0']])
    await page.getByRole('button', { name: /^EN/ }).click()

    await cell.fill('1671010208850001')
    const sent = []
    page.on('request', (request) => asks('mutation Start')(request) && sent.push(request.postDataJSON().variables.input))
    await page.getByRole('button', { name: 'Send 1 corrected rows' }).dblclick()
    await page.getByRole('heading', { name: 'twice-corrected.csv' }).waitFor()
    await state(page, 'AWAITING_APPROVAL')
    assert.equal(sent.length, 1)
    page.assertSound()
    await cancelInPage(page)
  }))

test('an upload goes on while another page is open, and the browser asks before it is lost', () =>
  withBrowser(async (browser) => {
    const batch = await startBatch('slow.csv')
    const page = await open(browser, '/onboarding', { role: 'PARTNER' })
    await page.getByRole('link', { name: 'slow.csv' }).first().click()
    await state(page, 'RECEIVING')
    let release
    const held = new Promise((done) => {
      release = done
    })
    await page.route(`**/onboarding/${batch}/file`, async (route) => {
      await held
      await route.continue()
    })
    await page.getByLabel('Choose a file').setInputFiles(refusedRoster('slow.csv'))
    const bar = page.getByRole('progressbar', { name: 'Sending the file' })
    await bar.waitFor()
    await page.getByRole('navigation').getByRole('link', { name: 'Onboarding' }).click()
    await page.getByRole('heading', { name: 'New roster' }).waitFor()
    await page.goBack()
    await bar.waitFor()
    const question = page.waitForEvent('dialog')
    await page.evaluate(() => setTimeout(() => window.location.reload()))
    const dialog = await question
    assert.equal(dialog.type(), 'beforeunload')
    await dialog.dismiss()
    release()
    await state(page, 'AWAITING_APPROVAL')
    await cancelInPage(page)
    page.assertSound()
  }))

test('a page of a list that cannot be loaded is said, and can be asked for again', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/coverage', { role: 'PARTNER' })
    let isOffline = true
    await page.route('**/graphql', async (route) => {
      if (!asks('query Batches')(route.request())) return route.continue()
      if (route.request().postDataJSON().variables.after) return isOffline ? route.abort() : route.continue()
      const response = await route.fetch()
      const json = await response.json()
      json.data.onboardingBatches.pageInfo.hasNextPage = true
      return route.fulfill({ response, json })
    })
    const uncaught = []
    page.on('pageerror', (error) => uncaught.push(error))
    await page.getByRole('navigation').getByRole('link', { name: 'Onboarding' }).click()
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('The registry does not answer.').waitFor()
    isOffline = false
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('The registry does not answer.').waitFor({ state: 'detached' })
    assert.deepEqual(uncaught, [])
  }))

test('an address that is no text opens the page of a channel that does not exist', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    await page.goto(url('/coverage/channel/%E0%A4%A'))
    await page.getByText('%E0%A4%A').waitFor()
    page.assertSound()
  }))

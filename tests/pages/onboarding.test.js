// /onboarding: a clerk without a developer enrolls the 8,000 civil servants of South Sumatra.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import { api, assertAccessible, assertFits, digits, open, picture, repository, withBrowser } from './browser.js'

const ROSTER = repository('demo/south-sumatra/roster-raw.csv')
const manifest = JSON.parse(await readFile(repository('demo/south-sumatra/manifest.json'), 'utf8'))
const state = (page, name) => page.locator(`[data-state="${name}"]`).waitFor({ timeout: 120_000 })

/** Becomes another person of the demonstration, in the menu of the page. */
async function become(page, label) {
  await page.getByRole('combobox', { name: 'Who you are' }).selectOption({ label })
}

async function send(page, file) {
  await page.getByLabel('Choose a file').setInputFiles(file)
  await page.getByLabel('First day of coverage').fill('2014-11-01')
  await page.getByLabel('The first contributions are paid').check()
  await page.getByRole('button', { name: 'Check this file' }).click()
}

test('the 8,000 are onboarded, corrected and counted', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/onboarding', { role: undefined })
    const partner = 'Partner: the government of South Sumatra'
    await become(page, partner)
    await page.getByRole('heading', { name: 'New roster' }).waitFor()
    await assertAccessible(page)
    await send(page, ROSTER)

    // The plan.
    await state(page, 'AWAITING_APPROVAL')
    assert.equal(await page.figure('received'), manifest.rows)
    assert.equal(await page.figure('pending'), manifest.enrolled)
    assert.equal(await page.figure('rejected'), manifest.rejected)
    assert.equal(await page.figure('flagged'), manifest.enrolled_with_warning)
    await page.getByText('Contributions due each month').waitFor()
    const columns = await page.locator('.column-list li').allTextContents()
    assert.equal(columns[2], 'NIKIdentity number (NIK)')
    const [first] = manifest.problems.filter(({ severity }) => severity === 'error')
    const cell = page.getByLabel(`${first.column} in line ${first.line}`, { exact: true })
    await cell.waitFor()
    const sent = (await readFile(ROSTER, 'utf8')).split(/\r?\n/)[first.line - 1].split(';')[2]
    assert.equal(await cell.inputValue(), sent)
    assert.equal(await page.getByRole('button', { name: /^Approve/ }).count(), 0, 'the sender may not approve')
    await assertFits(page)
    await assertAccessible(page)
    await picture(page, 'onboarding-plan')
    const batch = page.url().split('/').at(-1)

    // The report.
    const download = page.waitForEvent('download')
    await page.locator('[data-action="report"]').click()
    const report = await readFile(await (await download).path(), 'utf8')
    assert(report.startsWith('\u{feff}'), 'spreadsheets know by the mark that it is UTF-8')
    assert.equal(report.trim().split(/\r?\n/).length, manifest.rejected + 1)

    // Another person approves, while head office looks at the coverage.
    const office = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    const bar = office.locator('[data-commitment="16 CIVIL_SERVANTS"] [data-figure="enrolled"]')
    await bar.waitFor()
    const seen = await office.evaluate(() => {
      window.seen = []
      new MutationObserver(() => {
        const text = document.querySelector('[data-commitment="16 CIVIL_SERVANTS"] [data-figure="enrolled"]')?.textContent
        if (text !== window.seen.at(-1)) window.seen.push(text)
      }).observe(document.body, { subtree: true, childList: true, characterData: true })
      return true
    })
    assert(seen)
    await become(page, 'Approver')
    await page.getByRole('button', { name: /^Approve/ }).click()
    await state(page, 'COMPLETED')
    assert.equal(await page.figure('enrolled'), manifest.enrolled)
    await page.getByText('Approved by demo-approver.').waitFor()
    await picture(page, 'onboarding-done')
    const enrolled = manifest.enrolled.toLocaleString('en-GB')
    await office.getByText(`${enrolled} of 8,000 enrolled`).waitFor()
    const steps = (await office.evaluate(() => window.seen)).map(digits)
    // How many it has depends on the speed of the machine.
    assert.equal(steps.at(-1), manifest.enrolled)
    assert.deepEqual(steps, steps.toSorted((a, b) => a - b))
    office.assertSound()

    // The sender corrects a cell in the page.
    await become(page, partner)
    await state(page, 'COMPLETED')
    const day = manifest.problems.find(({ kind }) => kind === 'birth_date_impossible')
    await page.getByLabel(`${day.column} in line ${day.line}`, { exact: true }).fill('28/02/1975')
    await page.keyboard.press('Tab')
    await page.getByRole('button', { name: 'Send 1 corrected rows' }).click()
    await page.waitForURL((address) => !address.pathname.endsWith(batch))
    await state(page, 'AWAITING_APPROVAL')
    assert.equal(await page.figure('received'), 1)
    assert.equal(await page.figure('pending'), 1)

    const { onboardingBatch } = await api('ADMINISTRATOR', 'query ($id: ID!) { onboardingBatch(id: $id) { counts { enrolled rejected } approvedBy } }', { id: batch })
    assert.deepEqual(onboardingBatch, { counts: { enrolled: manifest.enrolled, rejected: manifest.rejected }, approvedBy: 'demo-approver' })
    page.assertSound()
  }))

test('a file that is no roster is refused with what is missing, and another one is taken in its place', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/onboarding', { role: 'PARTNER', width: 390, theme: 'dark' })
    await page.getByRole('heading', { name: 'New roster' }).waitFor()
    await assertFits(page)
    const wrong = { name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from('NAMA;UNIT KERJA;GOLONGAN\nBudi;Dinas;III/a\n') }
    await send(page, wrong)
    await page.getByText(/NIK/).first().waitFor()
    await state(page, 'RECEIVING')
    const right = {
      name: 'roster.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('NIK;NIP;NAMA;TGL LAHIR;L/P;ALAMAT\n1671010208850001;198508022005011001;Budi Contoh;02/08/1985;L;Jalan\n'),
    }
    await page.getByLabel('Choose a file').setInputFiles(right)
    await state(page, 'AWAITING_APPROVAL')
    await page.getByText('Not read: ALAMAT').waitFor()
    await page.getByText('No row is refused or has a warning.').waitFor()
    await assertFits(page)
    await assertAccessible(page)
    await picture(page, 'onboarding-phone')
    await page.getByText('Cancel this batch').click()
    await page.getByLabel(/^Reason/).fill('A test')
    await page.getByRole('button', { name: 'Cancel the batch' }).click()
    await state(page, 'CANCELLED')
  }))

test('an employer beyond the first hundred of a province is found by its name', () =>
  withBrowser(async (browser) => {
    const register = 'mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } errors { message } } }'
    const ids = []
    for (let at = 0; at <= 100; at += 1) {
      const input = { name: `PT Deretan ${String(at).padStart(3, '0')}`, kind: 'COMPANY', provinceCode: '75' }
      const { registerEmployer } = await api('ADMINISTRATOR', register, { input })
      assert.deepEqual(registerEmployer.errors, [])
      ids.push(registerEmployer.employer.id)
    }
    const page = await open(browser, '/onboarding', { role: 'ADMINISTRATOR', width: 390 })
    await page.getByRole('combobox', { name: 'People', exact: true }).selectOption('WAGE_EARNER')
    await page.getByLabel('Province of residence').selectOption('75')
    await page.getByText('Only the first 100 are shown').waitFor()
    const employers = page.getByRole('combobox', { name: 'Employer', exact: true })
    assert.equal(await employers.locator('option').count(), 101, 'a hundred, and the invitation to choose')
    await page.getByRole('searchbox', { name: 'Search: Employer' }).fill('deretan 100')
    await page.getByText('1 found.').waitFor()
    await employers.selectOption(ids[100])
    await page.getByRole('searchbox', { name: 'Search: Employer' }).fill('')
    await page.getByText('Only the first 100 are shown').waitFor()
    assert.equal(await employers.inputValue(), ids[100], 'the choice stays')
    await assertFits(page)
    await assertAccessible(page)
    page.assertSound()
  }))

test('a file that was sent before opens on its warnings, and is told of once', () =>
  withBrowser(async (browser) => {
    // No earlier run has sent this file.
    const line = `1671010208850001;198508022005011001;Budi Contoh;02/08/1985;P;${crypto.randomUUID()}`
    const file = { name: 'again.csv', mimeType: 'text/csv', buffer: Buffer.from(`NIK;NIP;NAMA;TGL LAHIR;L/P;CATATAN\n${line}\n`) }
    for (const time of [1, 2]) {
      const page = await open(browser, '/onboarding', { role: 'PARTNER' })
      await page.getByRole('heading', { name: 'New roster' }).waitFor()
      await send(page, file)
      await state(page, 'AWAITING_APPROVAL')
      assert.deepEqual([await page.figure('rejected'), await page.figure('flagged')], [0, 1])
      await page.getByRole('button', { name: 'With a warning 1', pressed: true }).waitFor()
      await page.locator('tr.is-warning').first().waitFor()
      assert.equal(await page.getByText('Refused 0').count(), 1, 'only in the counts')
      await page.getByText('The same file of this payer was received before').waitFor({ state: time === 1 ? 'detached' : 'visible' })
      assert.equal(await page.getByText('sameFileAs').count(), 0)
      page.assertSound()
    }
  }))

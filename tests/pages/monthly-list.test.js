// /onboarding: a payroll sends its monthly list, and another person approves it and decides about who is absent.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import { readCsv } from '../../pages/src/ui/csv.js'
import { api, assertAccessible, assertFits, open, picture, withBrowser } from './browser.js'

const state = (page, name) => page.locator(`[data-state="${name}"]`).waitFor({ timeout: 120_000 })
const PLN = 'PT Daftar Bulanan'
const HEADER = 'NIK;NAMA;TANGGAL LAHIR;JENIS KELAMIN;UPAH;TMT;HARI TERAKHIR;SEBAB KELUAR'
const nik = (n) => `167159020885${String(n).padStart(4, '0')}`
const name = (n) => `Budi ${'ABCDEFGHIJKLM'[n - 1]}`
const line = (n, wage, rest = ';;') => `${nik(n)};${name(n)};02/08/1985;L;${wage};${rest}`

/** Registers a company with ten workers since July. */
async function company() {
  const { registerEmployer } = await api(
    'ADMINISTRATOR',
    'mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } errors { message } } }',
    { input: { name: PLN, kind: 'COMPANY', provinceCode: '16' } },
  )
  const employerId = registerEmployer.employer.id
  const { channels } = await api('ADMINISTRATOR', '{ channels(first: 1, filterBy: { provinceCode: "16", open: true, kind: [BRANCH] }) { nodes { code } } }')
  const rows = Array.from({ length: 10 }, (_, index) => ({
    nationalId: nik(index + 1), fullName: name(index + 1), birthDate: '1985-08-02', sex: 'MALE', monthlyWage: '3000000',
  }))
  const { onboardParticipants } = await api(
    'ADMINISTRATOR',
    'mutation ($input: OnboardParticipantsInput!) { onboardParticipants(input: $input) { batch { counts { enrolled } } errors { message } } }',
    { input: { employerId, channelCode: channels.nodes[0].code, provinceCode: '16', startsOn: '2014-07-01', rows } },
  )
  assert.deepEqual(onboardParticipants, { batch: { counts: { enrolled: 10 } }, errors: [] })
  return employerId
}

test('a monthly list is planned, approved with a decision about absent people, and applied', () =>
  withBrowser(async (browser) => {
    const employer = await company()
    const lines = [
      HEADER,
      ...[1, 2, 3, 4, 5].map((n) => line(n, 3_300_000)),
      line(6, 3_000_000, ';20-09-2014;A1'),
      line(7, 3_000_000),
      line(8, 3_000_000),
      line(11, 2_500_000, '10-09-2014;;'),
      line(12, 2_500_000, '03-09-2014;14-09-2014;A3'),
    ]
    const list = { name: 'september.csv', mimeType: 'text/csv', buffer: Buffer.from(`${lines.join('\n')}\n`) }

    const page = await open(browser, '/onboarding', { role: 'ADMINISTRATOR' })
    await page.getByRole('button', { name: 'Monthly list' }).click()
    await page.getByText('People who are not in the list stay enrolled').waitFor()
    await page.getByLabel('Choose a file').setInputFiles(list)
    await page.getByRole('combobox', { name: 'People', exact: true }).selectOption('WAGE_EARNER')
    await page.getByLabel('Province of residence').selectOption('16')
    // The page chooses the first employer once it has loaded them, and would replace an earlier choice.
    const employers = page.getByRole('combobox', { name: 'Employer', exact: true })
    await page.waitForFunction((select) => select.value !== '', await employers.elementHandle())
    await employers.selectOption(employer)
    await page.locator('input[type=month]').fill('2014-09')
    const template = await page.getByRole('link', { name: 'CSV', exact: true }).getAttribute('href')
    assert.match(await (await fetch(new URL(template, page.url()))).text(), /UPAH;TMT;NO HP;HARI TERAKHIR;SEBAB KELUAR/)
    await assertFits(page)
    await assertAccessible(page)
    await page.getByRole('button', { name: 'Check this file' }).click()

    // The plan: what the list changes, and what is due before and after.
    await state(page, 'AWAITING_APPROVAL')
    for (const [change, rows] of [['WAGE_CHANGES', 5], ['LEAVES', 1], ['UNCHANGED', 2], ['JOINS', 2], ['ABSENT', 2]]) {
      assert.equal(await page.figure(change), rows, change)
    }
    // 0.24 and 0.30 percent of ten wages, and then of those of the list with the absent people.
    assert.equal(await page.figure('dueBefore'), 162_000)
    assert.equal(await page.figure('dueAfter'), 197_100)
    await page.getByRole('button', { name: /^Leave/ }).click()
    await page.getByRole('rowheader', { name: name(6) }).waitFor()
    await page.getByRole('button', { name: /^Are absent/ }).click()
    await page.getByRole('rowheader', { name: name(9) }).waitFor()
    assert.equal(await page.getByRole('button', { name: /^Approve/ }).count(), 0, 'the sender may not approve')
    await assertAccessible(page)
    const download = page.waitForEvent('download')
    await page.locator('[data-action="differences"]').click()
    const differences = await readFile(await (await download).path(), 'utf8')
    assert.equal(differences.trim().split(/\r?\n/).length, 1 + 5 + 1 + 2 + 2, differences)

    assert.equal(await page.figure('unchanged'), 2)

    // Another person approves, on a small screen and in Indonesian: one of the absent people leaves.
    const address = new URL(page.url()).pathname
    const approver = await open(browser, address, { role: 'APPROVER', width: 390, locale: 'id-ID' })
    await approver.getByLabel('Akhiri kepesertaan beberapa orang').check()
    const approve = approver.getByRole('button', { name: 'Setujui: terapkan 8 baris' })
    await approver.getByLabel('Hari pertama tanpa perlindungan').fill('2014-10-01')
    await approver.getByLabel('Sebab berakhirnya kepesertaan').selectOption('RESIGNED')
    assert.equal(await approve.isDisabled(), true, 'nobody is named yet')
    const indonesian = approver.waitForEvent('download')
    await approver.locator('[data-action="differences"]').click()
    const table = readCsv(await readFile(await (await indonesian).path(), 'utf8'))
    assert.deepEqual(table[0].slice(0, 3), ['Nomor baris', 'Baris dalam berkas', 'Perubahan'])
    assert.deepEqual(table.at(-1).slice(2, 3), ['Tidak ada dalam daftar'])
    await approver.getByLabel(name(9)).check()
    await approver.getByRole('button', { name: /8 baris, dan akhiri kepesertaan 1 orang .*mulai 1 Oktober 2014/ }).waitFor()
    await assertFits(approver)
    await assertAccessible(approver)
    await picture(approver, 'monthly-list-approval')
    await approve.click()
    await state(approver, 'COMPLETED')
    await approver.getByRole('button', { name: /^Tidak ada dalam daftar/ }).click()
    await approver.getByRole('row', { name: `${name(9)} ya` }).waitFor()
    approver.assertSound()

    await state(page, 'COMPLETED')
    await page.getByText(/^The list was applied by .* 2 people were enrolled\.$/).waitFor()
    assert.deepEqual([await page.figure('enrolled'), await page.figure('changed'), await page.figure('unchanged')], [2, 6, 2])
    await picture(page, 'monthly-list-done')
    page.assertSound()
    const { employer: found } = await api('ADMINISTRATOR', 'query ($id: ID!) { employer(by: { id: $id }) { counts { total ended } } }', { id: employer })
    assert.deepEqual(found.counts, { total: 12, ended: 3 }, 'the leaver, the person who came and left, and the absent person who was named')
  }))

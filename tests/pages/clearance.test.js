// /clearance/{number}: a certificate at a counter.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { api, assertAccessible, assertFits, open, picture, url, withBrowser } from './browser.js'

const ASK = `query ($input: LicenceClearanceInput!) {
  licenceClearance(input: $input) { decision certificateNumber employerName licenceType }
}`

/** Asks for a company that the demonstration clears. */
async function certificate() {
  const register = `mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { name } errors { message } } }`
  const businessNumber = '8120013821456'
  const input = { name: 'PT Contoh & Rekan', kind: 'COMPANY', businessNumber, provinceCode: '16', idempotencyKey: 'pages-clearance-1' }
  await api('ADMINISTRATOR', register, { input })
  const { licenceClearance } = await api('LICENSING_DESK', ASK, { input: { businessNumber, licenceType: 'SIUP' } })
  assert.equal(licenceClearance.decision, 'CLEAR_NO_WORKERS_YET')
  return licenceClearance
}

test('a certificate says what it says, with a QR code of its own address', () =>
  withBrowser(async (browser) => {
    const { certificateNumber, employerName } = await certificate()
    for (const [width, theme, locale] of [[1400, 'light', 'en-GB'], [390, 'dark', 'id-ID']]) {
      const page = await open(browser, `/clearance/${certificateNumber}`, { width, theme, locale })
      await page.getByText(employerName, { exact: true }).waitFor()
      for (const said of ['SIUP', certificateNumber, 'WIB']) await page.getByText(said).first().waitFor()
      await page.locator('#code svg').waitFor()
      await assertFits(page)
      await assertAccessible(page)
      await picture(page, `clearance-${width}-${theme}`)
      // Chromium has no barcode reader on Linux, so the modules are compared with those of the library.
      const { generate } = await import('../../pages/node_modules/lean-qr/index.mjs')
      const code = generate(url(`/clearance/${certificateNumber}`))
      const size = await page.locator('#code svg').getAttribute('viewBox')
      assert.equal(size, `0 0 ${code.size} ${code.size}`)
      page.assertSound()
    }
    const json = await (await fetch(url(`/clearance/${certificateNumber}`))).json()
    assert.deepEqual(Object.keys(json), ['valid', 'company', 'licenceType', 'validFrom', 'validUntil'])
    assert.equal(json.company, employerName)
  }))

test('an unknown certificate says that it is not valid', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/clearance/LC-0000')
    await page.getByText('This certificate is not valid.').waitFor()
    assert.equal(await page.locator('#code').count(), 0)
    await assertAccessible(page)
    page.assertSound()
  }))

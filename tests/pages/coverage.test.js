// /coverage: the figures of the API, live and in the past, in both languages and on both sizes.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import { api, assertAccessible, assertFits, digits, open, picture, url, withBrowser } from './browser.js'

const COVERAGE = `query ($filter: CoverageFilter) {
  coverage(filterBy: $filter) {
    counts { total active }
    target { active }
    byProvince { province { code } counts { active total } }
    byChannelKind { counts { active } }
  }
}`

const ready = (page) => page.locator('[data-figure="active"]').waitFor()

for (const [width, theme, locale] of [[1400, 'light', 'en-GB'], [1400, 'dark', 'id-ID'], [390, 'light', 'id-ID'], [360, 'dark', 'en-GB']]) {
  test(`coverage is sound and accessible, ${width} px, ${theme}, ${locale}`, () =>
    withBrowser(async (browser) => {
      const page = await open(browser, '/coverage', { width, theme, locale })
      await ready(page)
      await page.locator('.map path').first().waitFor()
      await page.locator('.plot canvas').waitFor()
      assert.equal(await page.locator('html').getAttribute('lang'), locale.slice(0, 2))
      await assertFits(page)
      await assertAccessible(page)
      await picture(page, `coverage-${width}-${theme}`)
      page.assertSound()
    }))
}

test('the sums on the page are those of the API', () =>
  withBrowser(async (browser) => {
    const { coverage } = await api('ADMINISTRATOR', COVERAGE)
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    await ready(page)
    assert.equal(await page.figure('active'), coverage.counts.active)
    assert.equal(await page.figure('total'), coverage.counts.total)
    const sum = (of) => of.reduce((total, { counts }) => total + counts.active, 0)
    assert.equal(await page.figure('provinces-active'), sum(coverage.byProvince))
    assert.equal(await page.figure('provinces-active'), coverage.counts.active)
    assert.equal(await page.figure('kinds-active'), sum(coverage.byChannelKind))
    await page.locator('.map path').first().waitFor()
    assert.equal(await page.locator('.map path').count(), 34)
    page.assertSound()
  }))

test('a table is downloaded as CSV with the numbers of the API', () =>
  withBrowser(async (browser) => {
    const { coverage } = await api('ADMINISTRATOR', COVERAGE)
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    await ready(page)
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Provinces: download as CSV', exact: true }).click()
    const text = await readFile(await (await download).path(), 'utf8')
    const [header, ...rows] = text.replace('\u{feff}', '').trim().split('\r\n').map((line) => line.split(','))
    const column = header.indexOf('active')
    const told = Object.fromEntries(rows.map((row) => [row[0], Number(row[column])]))
    assert.deepEqual(told, Object.fromEntries(coverage.byProvince.map(({ province, counts }) => [province.code, counts.active])))
  }))

test('a past day shows its figures, and today follows again', () =>
  withBrowser(async (browser) => {
    const asOf = '2013-06-30'
    const { coverage } = await api('ADMINISTRATOR', COVERAGE, { filter: { asOf } })
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    await page.locator('.status-live').waitFor()
    const today = await page.figure('active')
    await page.getByLabel('Date', { exact: true }).fill(asOf)
    await page.locator('.status-past').waitFor()
    assert.equal(await page.figure('active'), coverage.counts.active)
    assert.match(page.url(), /\?on=2013-06-30$/)
    await page.reload()
    await page.locator('.status-past').waitFor()
    assert.equal(await page.figure('active'), coverage.counts.active)
    // The slider moves by keyboard too.
    await page.getByRole('slider').focus()
    await page.keyboard.press('ArrowLeft')
    await page.waitForURL(/on=2013-06-29$/)
    await page.getByRole('button', { name: 'Today' }).click()
    await page.locator('.status-live').waitFor()
    assert.equal(await page.figure('active'), today)
    page.assertSound()
  }))

test('a day beyond the figures, and one that does not exist, are told as such', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR', locale: 'id-ID' })
    await page.locator('.status-live').waitFor()
    const field = page.getByLabel('Tanggal', { exact: true })
    const today = await field.inputValue()
    await field.fill('1990-01-01')
    await page.keyboard.press('Enter')
    await page.getByText(/^Pilih hari antara 1 /).waitFor()
    assert.equal(await field.inputValue(), today)
    await page.goto(url('/coverage?on=2012-02-30'))
    await page.getByText('Hari “2012-02-30” tidak ada.').waitFor()
    await page.getByRole('button', { name: 'Hari ini' }).click()
    await ready(page)
    page.assertSound()
  }))

test('a change arrives without a reload, and colours by targets once there are some', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    await page.locator('.status-live').waitFor()
    await page.getByRole('button', { name: 'Gap' }).click()
    const set = `mutation ($input: SetTargetInput!) { setTarget(input: $input) { target { active } errors { message } } }`
    for (const [provinceCode, active] of [['16', 9000], ['31', 4000]]) {
      const { setTarget } = await api('ADMINISTRATOR', set, { input: { provinceCode, active, year: 2015 } })
      assert.deepEqual(setTarget.errors, [])
    }
    const { coverage } = await api('ADMINISTRATOR', COVERAGE)
    const { counts } = coverage.byProvince.find(({ province }) => province.code === '16')
    await page.locator('[data-province="16"].shade-gap').waitFor()
    await page.locator('[data-province="16"]').hover()
    assert.equal(digits(await page.locator('.map figcaption').textContent()), 9000 - counts.active)
    page.assertSound()
  }))

test('pages of provinces and channels are reached by keyboard', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/coverage', { role: 'ADMINISTRATOR' })
    await ready(page)
    await page.getByRole('link', { name: 'South Sumatra' }).first().focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'South Sumatra' }).waitFor()
    const { coverage } = await api('ADMINISTRATOR', COVERAGE, { filter: { provinceCode: '16' } })
    await ready(page)
    assert.equal(await page.figure('active'), coverage.counts.active)
    await assertAccessible(page)
    await page.getByRole('link', { name: 'Kantor Cabang Palembang' }).click()
    await page.getByRole('heading', { level: 1, name: 'Kantor Cabang Palembang' }).waitFor()
    const branch = await api('ADMINISTRATOR', COVERAGE, { filter: { channelCode: 'BR-PLG' } })
    await page.locator('.status-live').waitFor()
    assert.equal(await page.figure('active'), branch.coverage.counts.active)
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'South Sumatra' }).waitFor()
    page.assertSound()
  }))

test('an analyst is told of the steps of five, and other roles what they may not read', () =>
  withBrowser(async (browser) => {
    const analyst = await open(browser, '/coverage', { role: 'ANALYST' })
    await ready(analyst)
    await analyst.getByText('steps of five').waitFor()
    assert.equal((await analyst.figure('active')) % 5, 0)
    analyst.assertSound()
    const partner = await open(browser, '/coverage', { role: 'PARTNER' })
    await partner.getByText('Your role may not read coverage.').waitFor()
    for (const role of ['LICENSING_DESK', 'AUDITOR']) {
      const other = await open(browser, '/coverage', { role })
      await other.getByText('Your role may not read coverage.').waitFor()
      await other.getByRole('link', { name: 'Onboarding' }).first().click()
      await other.getByText('Your role may not read onboardings.').waitFor()
    }
  }))

test('without published figures a visitor is asked to sign in', () =>
  withBrowser(async (browser) => {
    const settings = await (await fetch(url('/pages/settings.json'))).json()
    assert.equal(settings.publicFigures, false)
    assert.equal((await fetch(url('/public/figures'))).status, 404)
    const context = await browser.newContext({ locale: 'en-GB' })
    // As in development without a demonstration: nobody has a token yet.
    await context.route('**/pages/settings.json', (route) => route.fulfill({ json: { ...settings, tokens: [] } }))
    const page = await open(browser, '/coverage', { context })
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    assert.equal(await page.locator('[data-figure]').count(), 0)
    page.assertSound()
  }))

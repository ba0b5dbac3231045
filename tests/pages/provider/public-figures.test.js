// /coverage before the sign-in, on a server that publishes figures.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assertAccessible, assertFits, open, picture, url, withBrowser } from '../browser.js'

const published = async () => (await fetch(url('/public/figures'))).json()

for (const [width, theme, locale] of [[1400, 'light', 'en-GB'], [390, 'dark', 'id-ID']]) {
  test(`public figures are sound and accessible, ${width} px, ${theme}, ${locale}`, () =>
    withBrowser(async (browser) => {
      const page = await open(browser, '/coverage', { width, theme, locale })
      await page.locator('[data-figure="active"]').waitFor()
      await assertFits(page)
      await assertAccessible(page)
      await picture(page, `public-${width}-${theme}`)
      page.assertSound()
    }))
}

test('a visitor sees the published figures, and what needs a sign-in', () =>
  withBrowser(async (browser) => {
    const { country, provinces, step } = await published()
    const page = await open(browser, '/coverage')
    await page.locator('[data-figure="active"]').waitFor()
    assert.equal(await page.figure('active'), country.active)
    assert.equal(await page.figure('total'), country.total)
    const write = (people) => (people < step ? `under ${step}` : new Intl.NumberFormat('en-GB').format(people))
    for (const { code, name, active, total } of provinces) {
      const cells = await page.locator(`tr[data-province="${code}"] > *`).allTextContents()
      assert.deepEqual(cells.slice(0, 3), [name, write(active), write(total)])
    }
    assert.equal(await page.locator('tr[data-province]').count(), provinces.length)
    await page.getByText('need a sign-in').waitFor()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    assert.equal(await page.locator('h1').count(), 1)
    assert.equal(await page.locator('.map, .plot, .status-live').count(), 0)
    // Other pages are those of people who have signed in.
    await page.getByRole('link', { name: 'Onboarding' }).first().click()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    assert.equal(await page.locator('[data-figure]').count(), 0)
    page.assertSound()
  }))

test('a group of fewer than five people is said to be so, and a failure is told', () =>
  withBrowser(async (browser) => {
    const figures = await published()
    figures.provinces[0] = { ...figures.provinces[0], active: 0, total: 5 }
    const context = await browser.newContext({ locale: 'en-GB' })
    await context.route('**/public/figures', (route) => route.fulfill({ json: figures }))
    const page = await open(browser, '/coverage', { context })
    const row = page.locator(`tr[data-province="${figures.provinces[0].code}"]`)
    await row.waitFor()
    assert.deepEqual((await row.locator('td').allTextContents()).slice(0, 2), ['under 5', '5'])
    await context.unroute('**/public/figures')
    await context.route('**/public/figures', (route) => route.abort())
    await page.reload()
    await page.getByText('The figures could not be read.').waitFor()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
  }))

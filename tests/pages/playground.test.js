// The playground: its tabs, subscriptions, and a phone.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { api, assertFits, open, picture, withBrowser } from './browser.js'

const tab = (page, name) => page.getByRole('tab').filter({ hasText: new RegExp(`^${name}(close icon)?$`) }).getByRole('button').first()
const ready = (page) => page.locator('.graphiql-query-editor .view-line').first().waitFor()

test('no tab of the examples shows an error, and each of them is seen as a whole', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/')
    await ready(page)
    const names = (await page.getByRole('tab').allTextContents()).map((name) => name.replace('close icon', ''))
    assert(names.includes('Live') && names.length > 10, names.join())
    for (const name of names) {
      await tab(page, name).click()
      await assertVariablesFit(page)
      const box = await tab(page, name).boundingBox()
      assert(box.x >= 0 && box.x + box.width <= 1400, name)
      const cut = await page.locator('.graphiql-query-editor .monaco-editor').first().evaluate((editor) => {
        const { right } = editor.getBoundingClientRect()
        const lines = [...editor.querySelectorAll('.view-line > span')]
        return lines.filter((line) => line.getBoundingClientRect().right > right).map((line) => line.textContent)
      })
      assert.deepEqual(cut, [], name)
    }
    page.assertSound()
  }))

/**
 * Fails if the editor of variables marks something. A wrong variable, which is then taken back, shows that it judges by the
 * schema by now.
 */
async function assertVariablesFit(page) {
  const editor = page.locator('.graphiql-editor-tool .monaco-editor').first()
  const text = editor.locator('.view-line').first()
  if (!(await text.textContent()).includes('{')) return
  const marks = editor.locator('.squiggly-error, .squiggly-warning')
  await text.click()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('ArrowRight')
  const unknown = '"unknown": 1, '
  await page.keyboard.insertText(unknown)
  await marks.first().waitFor()
  for (const _ of unknown) await page.keyboard.press('Backspace')
  await marks.first().waitFor({ state: 'detached' })
}

test('a subscription runs until it is stopped', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/')
    await ready(page)
    await tab(page, 'Live').click()
    const total = async () => (await api('ADMINISTRATOR', '{ coverage { counts { total } } }')).coverage.counts.total
    const before = await total()
    await page.getByRole('button', { name: /Execute query/ }).click()
    const answer = page.locator('.result-window')
    await answer.getByText(`"total": ${before}`).waitFor()
    const enroll = `mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { errors { message } } }`
    const input = {
      nationalId: '1671010208850071', fullName: 'Budi Contoh', birthDate: '1985-08-02', sex: 'MALE', provinceCode: '16',
      segment: 'SELF_EMPLOYED', programmes: ['WORK_ACCIDENT', 'DEATH'], channelCode: 'BR-PLG', monthlyWage: 2_000_000,
      startsOn: '2014-10-02',
    }
    const { enrollParticipant } = await api('ADMINISTRATOR', enroll, { input })
    assert.deepEqual(enrollParticipant.errors, [])
    await answer.getByText(`"total": ${await total()}`).waitFor()
    assert.equal(await total(), before + 1)
    await page.getByRole('button', { name: /Stop query/ }).click()
    await page.getByRole('button', { name: /Execute query/ }).waitFor()
    page.assertSound()
  }))

test('a bill, its payment and the members of a paguyuban are examples that run', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/')
    await ready(page)
    const answers = [
      ['Bill', /"wageBase":\s\d+/],
      ['Pay', /"reference":\s"CONTOH-0001"/],
      ['Members', /"enrolled":\s2/],
    ]
    for (const [name, expected] of answers) {
      await tab(page, name).click()
      await page.getByRole('button', { name: /Execute query/ }).click()
      await page.locator('.result-window').getByText(expected).first().waitFor()
    }
    page.assertSound()
  }))

test('the documentation begins with the registry', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/')
    await ready(page)
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click()
    await page.getByText('who is covered by employment social security').waitFor()
    await picture(page, 'playground-docs')
  }))

test('on a phone the panes are stacked', () =>
  withBrowser(async (browser) => {
    const page = await open(browser, '/', { width: 360 })
    await ready(page)
    await assertFits(page)
    const beyond = await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight)
    assert.equal(beyond, 0, 'the panes scroll, and the page does not scroll on into nothing')
    const editors = await page.locator('.graphiql-editors').boundingBox()
    const response = await page.locator('.graphiql-response').boundingBox()
    assert(response.y >= editors.y + editors.height, 'the response is below the editors')
    for (const box of [editors, response]) assert(box.width > 310 && box.height > 300, JSON.stringify(box))
    await page.getByRole('button', { name: /Execute query/ }).click()
    await page.locator('.result-window').getByText('"coverage"').waitFor()
    await picture(page, 'playground-phone')
    page.assertSound()
  }))

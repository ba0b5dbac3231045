// Sign-in at an OpenID provider: authorization code with PKCE.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ask, open, url, withBrowser } from '../browser.js'

const { API_TOKEN, ISSUER } = process.env

const REGISTER = `mutation ($input: RegisterClientInput!) {
  registerClient(input: $input) { client { name } errors { message } }
}`

test('an analyst signs in at the provider, and stays signed in after a reload', () =>
  withBrowser(async (browser) => {
    const input = { name: 'head-office', issuer: ISSUER, subject: 'head-office', role: 'ANALYST', idempotencyKey: 'pages-sign-in-00001' }
    const { registerClient } = await ask(API_TOKEN, REGISTER, { input })
    assert.deepEqual(registerClient.errors, [])

    const page = await open(browser, '/coverage/province/16')
    const foreign = []
    page.on('request', (request) => {
      if (!request.url().startsWith(url('/'))) foreign.push(new URL(request.url()).origin)
    })
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('steps of five').waitFor()
    assert.equal(new URL(page.url()).pathname, '/coverage/province/16', 'the page before the sign-in')
    await page.getByText('head-office').waitFor()
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }).includes('eyJ')), false, 'no token is stored')
    await page.reload()
    await page.getByText('steps of five').waitFor()
    assert.deepEqual([...new Set(foreign)], [ISSUER])

    const policy = (await fetch(url('/coverage'))).headers.get('content-security-policy')
    assert(policy.includes(`connect-src 'self' ${ISSUER};`), policy)
    const settings = await (await fetch(url('/pages/settings.json'))).json()
    assert.deepEqual(settings.tokens, [], 'where people sign in, the demonstration hands out no tokens')

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
  }))

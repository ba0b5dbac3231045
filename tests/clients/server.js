// The server under test, and what is asked of it.

import assert from 'node:assert/strict'

const { API_URL = 'http://127.0.0.1:8080', API_TOKEN } = process.env
if (!API_TOKEN) throw new Error('API_TOKEN is missing: it is the token of an ADMINISTRATOR, which the server prints')

export const url = new URL('/graphql', API_URL).href
export const socketUrl = url.replace(/^http/, 'ws')
export const authorization = `Bearer ${API_TOKEN}`

export const viewer = '{ viewer { role } }'
export const figures = 'subscription { coverage { counts { total } } }'
export const unknownField = '{ nothing }'
export const register = `mutation ($input: RegisterEmployerInput!) {
  registerEmployer(input: $input) { employer { id name } errors { code } }
}`

/** The variables of `register`. */
export function employer(name) {
  return { input: { name, kind: 'COMPANY', provinceCode: '16', idempotencyKey: crypto.randomUUID() } }
}

export function assertViewer(data) {
  assert.equal(data.viewer.role, 'ADMINISTRATOR')
}

export function assertRegistered(data, name) {
  assert.deepEqual(data.registerEmployer.errors, [])
  assert.equal(data.registerEmployer.employer.name, name)
}

export function assertFigures(data) {
  assert(Number.isInteger(data.coverage.counts.total))
}

/** Asserts that a list of errors has this code. */
export function assertCode(errors, code) {
  assert.equal(errors[0].extensions.code, code, JSON.stringify(errors))
  assert(errors[0].extensions.requestId)
}

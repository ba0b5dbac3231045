// The reference client of graphql-sse, in its distinct connections mode.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createClient, NetworkError } from 'graphql-sse'

import {
  assertCode,
  assertFigures,
  assertRegistered,
  assertViewer,
  authorization,
  employer,
  figures,
  register,
  unknownField,
  url,
  viewer,
} from './server.js'

function open(headers = { authorization }) {
  return createClient({ url, headers, retryAttempts: 0 })
}

async function once(client, payload) {
  const results = []
  for await (const result of client.iterate(payload)) results.push(result)
  assert.equal(results.length, 1)
  return results[0]
}

test('queries and mutations have one result', async () => {
  const client = open()
  assertViewer((await once(client, { query: viewer })).data)
  assertRegistered((await once(client, { query: register, variables: employer('PT Peristiwa') })).data, 'PT Peristiwa')
})

test('a subscription goes on until the client ends it', async () => {
  const client = open()
  const events = client.iterate({ query: figures })
  assertFigures((await events.next()).value.data)
  await events.return()
  client.dispose()
})

test('errors before execution are results', async () => {
  const client = open()
  assertCode((await once(client, { query: unknownField })).errors, 'GRAPHQL_VALIDATION_FAILED')
  assertCode((await once(client, { query: '{' })).errors, 'GRAPHQL_PARSE_FAILED')
})

test('a client without a token gets the status of HTTP', async () => {
  const error = await once(open({}), { query: viewer }).catch((error) => error)
  assert(error instanceof NetworkError)
  assert.equal(error.response.status, 401)
})

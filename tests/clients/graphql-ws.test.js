// The reference client of graphql-transport-ws.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'

import {
  assertCode,
  assertFigures,
  assertRegistered,
  assertViewer,
  authorization,
  employer,
  figures,
  register,
  socketUrl,
  unknownField,
  viewer,
} from './server.js'

function open(connectionParams = { authorization }, options = {}) {
  return createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams, ...options })
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
  const outcome = await once(client, { query: register, variables: employer('PT Soket') })
  assertRegistered(outcome.data, 'PT Soket')
  await client.dispose()
})

test('subscriptions run side by side until the client ends them', async () => {
  const client = open()
  const [one, two] = [client.iterate({ query: figures }), client.iterate({ query: figures })]
  assertFigures((await one.next()).value.data)
  assertFigures((await two.next()).value.data)
  await one.return()
  assertViewer((await once(client, { query: viewer })).data)
  await two.return()
  await client.dispose()
})

test('errors before execution have the code of HTTP', async () => {
  const client = open()
  for (const [query, code] of [
    [unknownField, 'GRAPHQL_VALIDATION_FAILED'],
    ['{', 'GRAPHQL_PARSE_FAILED'],
  ]) {
    const errors = await once(client, { query }).catch((errors) => errors)
    assertCode(errors, code)
  }
  assertViewer((await once(client, { query: viewer })).data)
  await client.dispose()
})

test('a client without a token is refused with 4403', async () => {
  const client = open({})
  const closed = await once(client, { query: viewer }).catch((event) => event)
  assert.equal(closed.code, 4403)
  assert.match(closed.reason, /^UNAUTHENTICATED: /)
})

test('a purpose shows personal data in full', async () => {
  const query = '{ participants(first: 1) { nodes { nationalId birthDate } } }'
  for (const [connectionParams, shown] of [
    [{ authorization }, false],
    [{ Authorization: authorization, 'X-Purpose': 'claim 17' }, true],
  ]) {
    const client = open(connectionParams)
    const [person] = (await once(client, { query })).data.participants.nodes
    assert.equal(/^\d{16}$/.test(person.nationalId), shown)
    assert.equal(person.birthDate !== null, shown)
    await client.dispose()
  }
})

test('pings of the client are answered', async () => {
  let client
  const pong = new Promise((resolve, reject) => {
    client = open({ authorization }, { lazy: false, keepAlive: 100, on: { pong: resolve, closed: reject } })
  })
  await pong
  await client.dispose()
})

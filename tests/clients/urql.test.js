// urql: single responses by fetch, subscriptions as events by fetch, and everything over WebSocket.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createClient, fetchExchange, subscriptionExchange } from '@urql/core'
import { createClient as createSocket } from 'graphql-ws'
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
  url,
  viewer,
} from './server.js'

/** Waits for the first result of a subscription. */
function first(client, query) {
  return new Promise((resolve) => {
    const { unsubscribe } = client.subscription(query, {}).subscribe((result) => {
      resolve(result)
      setImmediate(() => unsubscribe())
    })
  })
}

async function check(client, name) {
  const read = await client.query(viewer, {})
  assert.equal(read.error, undefined)
  assertViewer(read.data)
  const written = await client.mutation(register, employer(name))
  assertRegistered(written.data, name)
  const followed = await first(client, figures)
  assert.equal(followed.error, undefined)
  assertFigures(followed.data)
  const refused = await client.query(unknownField, {})
  assertCode(refused.error.graphQLErrors, 'GRAPHQL_VALIDATION_FAILED')
}

test('over HTTP, with events for subscriptions', async () => {
  const client = createClient({
    url,
    preferGetMethod: false,
    exchanges: [fetchExchange],
    fetchOptions: { headers: { authorization } },
    fetchSubscriptions: true,
  })
  await check(client, 'PT Urql')
})

test('over WebSocket', async () => {
  const socket = createSocket({
    url: socketUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization },
  })
  const exchange = subscriptionExchange({
    enableAllOperations: true,
    forwardSubscription: (request) => ({
      subscribe: (sink) => {
        const end = socket.subscribe(request, sink)
        // urql ends an operation while it takes its result. If `complete` has come in the same segment, graphql-ws 6.4
        // counts the end twice, and later closes the socket under a running operation, which then never ends.
        return { unsubscribe: () => setImmediate(end) }
      },
    }),
  })
  const client = createClient({ url, preferGetMethod: false, exchanges: [exchange] })
  await check(client, 'PT Urql Soket')
  await socket.dispose()
})

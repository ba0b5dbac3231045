// Apollo Client: single responses over HTTP, and everything over WebSocket.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { createClient } from 'graphql-ws'
import { firstValueFrom } from 'rxjs'
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

// Apollo's link looks for the browser's, which Node has from version 22 on.
globalThis.WebSocket ??= WebSocket

async function check(link, name) {
  const client = new ApolloClient({ link, cache: new InMemoryCache() })
  assertViewer((await client.query({ query: gql(viewer) })).data)
  const written = await client.mutate({ mutation: gql(register), variables: employer(name) })
  assertRegistered(written.data, name)
  const refused = await client.query({ query: gql(unknownField) }).catch((error) => error)
  assert(CombinedGraphQLErrors.is(refused), String(refused))
  assertCode(refused.errors, 'GRAPHQL_VALIDATION_FAILED')
  return client
}

test('over HTTP', async () => {
  const client = await check(new HttpLink({ uri: url, headers: { authorization } }), 'PT Apollo')
  client.stop()
})

test('over WebSocket', async () => {
  const socket = createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization },
  })
  const client = await check(new GraphQLWsLink(socket), 'PT Apollo Soket')
  const followed = await firstValueFrom(client.subscribe({ query: gql(figures) }))
  assertFigures(followed.data)
  client.stop()
  await socket.dispose()
})

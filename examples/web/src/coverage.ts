// Figures that keep themselves up to date, over WebSocket (`graphql-transport-ws`).

import { createClient, type Client } from 'graphql-ws'
import { WebSocket } from 'ws'

import { graphql } from './generated/index.js'
import type { CoverageSubscription } from './generated/graphql.js'
import type { Registry } from './registry.js'

const Coverage = graphql(`
  subscription Coverage($filterBy: CoverageFilter) {
    coverage(filterBy: $filterBy) {
      counts {
        total
        active
      }
      progress
    }
  }
`)

/** The figures as they are now. */
export type Figures = CoverageSubscription['coverage']

/** The longest pause between two attempts to connect. */
const LONGEST_PAUSE = 30_000

/**
 * Opens sockets to the registry, and opens them again whenever one is lost: a restart, a network that was away, a token
 * that has ended. Subscriptions go on with the next socket and begin with the figures of now, so nothing is missed.
 */
export function openSocket(registry: Registry): Client {
  return createClient({
    url: registry.url.replace(/^http/, 'ws'),
    // A browser has its own; leave this out there.
    webSocketImpl: WebSocket,
    // Asked for at each connection. A browser cannot send a header here, so the token travels in the first message.
    connectionParams: async () => ({ authorization: `Bearer ${await registry.token()}` }),
    keepAlive: 20_000,
    retryAttempts: Infinity,
    retryWait: async (attempt) => {
      const longest = Math.min(LONGEST_PAUSE, 500 * 2 ** attempt)
      // Spread, so that the clients of a restarted server do not all come at once.
      await new Promise((wake) => setTimeout(wake, longest * (0.5 + Math.random() / 2)))
    },
  })
}

/** Yields the figures of the country, and again each time they have changed. */
export async function* coverage(socket: Client): AsyncGenerator<Figures> {
  for await (const { data, errors } of socket.iterate<CoverageSubscription>({ query: Coverage.toString() })) {
    if (errors?.[0]) throw errors[0]
    if (data) yield data.coverage
  }
}

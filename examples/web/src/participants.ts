// A list, page by page. A cursor names a row, so rows that are added meanwhile move nobody to another page.

import { graphql } from './generated/index.js'
import type { ParticipantFilter, ParticipantPageQuery } from './generated/graphql.js'
import { execute, type Registry } from './registry.js'

const ParticipantPage = graphql(`
  query ParticipantPage($filterBy: ParticipantFilter, $first: Int!, $after: String) {
    participants(filterBy: $filterBy, first: $first, after: $after) {
      nodes {
        id
        cardNumber
        fullName
        status
        employer {
          name
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`)

const ParticipantTotal = graphql(`
  query ParticipantTotal($filterBy: ParticipantFilter) {
    participants(filterBy: $filterBy, first: 1) {
      totalCount
    }
  }
`)

/** A participant as a row of the list shows it. */
export type ListedParticipant = NonNullable<ParticipantPageQuery['participants']>['nodes'][number]

/** Yields the pages of a filter, each fetched when it is asked for. */
export async function* participantPages(
  registry: Registry,
  filterBy: ParticipantFilter,
  first = 50,
): AsyncGenerator<ListedParticipant[]> {
  let after: string | null = null
  for (;;) {
    const { participants }: ParticipantPageQuery = await execute(registry, ParticipantPage, { filterBy, first, after })
    // Null comes with an error, which `execute` throws: a role may not read people.
    if (!participants) return
    yield participants.nodes
    if (!participants.pageInfo.hasNextPage) return
    after = participants.pageInfo.endCursor ?? null
  }
}

/** Counts the participants of a filter. A query of its own: counting is work that a page does not need. */
export async function countParticipants(registry: Registry, filterBy: ParticipantFilter): Promise<number> {
  return (await execute(registry, ParticipantTotal, { filterBy })).participants?.totalCount ?? 0
}

// GraphQL over HTTP: one typed document in, its data out, and an exception for everything that the caller cannot correct
// in a form.

import type { TypedDocumentString } from './generated/graphql.js'

/** Where the registry is and who is asking. */
export interface Registry {
  /** Address of the API, ending in `/graphql`. */
  url: string
  /** A bearer token that is valid now. It is asked for at every request, so that it can be renewed. */
  token: () => string | Promise<string>
}

/** A refused or failed request. Match on `code`; `message` is for people and may change. */
export class RequestError extends Error {
  override name = 'RequestError'

  constructor(
    message: string,
    /** `extensions.code`, for example `FORBIDDEN` or `OVERLOADED`. */
    readonly code: string,
    /** Finds the request in the registry's log. */
    readonly requestId: string | undefined,
    /** Whether the same request may succeed later. Send a mutation again with the same `idempotencyKey`. */
    readonly retryable: boolean,
    /** Seconds to wait before that. */
    readonly retryAfter: number | undefined,
  ) {
    super(message)
  }
}

interface GraphQLError {
  message: string
  path?: (string | number)[]
  extensions?: { code?: string; requestId?: string; retryable?: boolean }
}

/** Runs a query or a mutation. */
export async function execute<Data, Variables>(
  registry: Registry,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(registry.url, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json',
      authorization: `Bearer ${await registry.token()}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ query: document.toString(), variables }),
    signal: AbortSignal.timeout(35_000),
  })
  const retryAfter = Number(response.headers.get('retry-after')) || undefined
  if (!response.headers.get('content-type')?.includes('json')) {
    // Not the registry: a proxy on the way to it.
    throw new RequestError(`HTTP ${response.status}`, 'BAD_GATEWAY', undefined, response.status >= 500, retryAfter)
  }
  const { data, errors } = (await response.json()) as { data?: Data | null; errors?: GraphQLError[] }
  const first = errors?.[0]
  if (first) {
    const { code = 'UNKNOWN', requestId, retryable = false } = first.extensions ?? {}
    throw new RequestError(first.message, code, requestId, retryable, retryAfter)
  }
  return data as Data
}

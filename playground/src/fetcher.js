// Sends an operation to `/graphql`. Returns a GraphQL response, or an error message in the shape of one,
// which GraphiQL can show. A subscription has several responses, which come as an event stream.

import { getOperationAST, Kind, parse } from 'graphql';
import { createClient } from 'graphql-sse';
import { START_PAGE } from './start-page.js';

const ENDPOINT = '/graphql';

export function createFetcher(session) {
  return async function fetcher(request, { headers = {} } = {}) {
    const { operation, params } = resolveOperation(request);
    if (operation?.operation === 'subscription') return follow(params, headers, session);
    // GraphiQL loads the schema before the headers pane exists.
    const isIntrospection = params.operationName === 'IntrospectionQuery';
    const token = bearer(headers) ?? (isIntrospection ? session.token() : null);
    const sent = isIntrospection && token ? withAuthorization(headers, token) : headers;

    let response = await send(params, sent);
    if (response.status === 401 && token && session.handedOut(token)) {
      // The server restarted with other keys, or the token expired. A 401 runs nothing, so a retry is safe.
      await session.renew();
      const fresh = session.token();
      if (fresh && fresh !== token) response = await send(params, withAuthorization(sent, fresh));
    }
    const answer = await read(response);
    if (isIntrospection && answer.data?.__schema) answer.data.__schema.description = START_PAGE;
    return answer;
  };
}

/** Yields the responses of a subscription. GraphiQL ends the iteration when its user stops the operation. */
async function* follow(params, headers, session) {
  const url = new URL(ENDPOINT, window.location.origin).href;
  const token = bearer(headers);
  let sent = headers;
  for (const isRetry of [false, true]) {
    const client = createClient({ url, headers: sent, retryAttempts: 0 });
    try {
      yield* client.iterate(params);
      return;
    } catch (error) {
      const response = error?.response;
      if (!response) throw new Error('The server ended the stream. Run the subscription again.');
      if (isRetry || response.status !== 401 || !session.handedOut(token)) {
        yield read(response);
        return;
      }
      await session.renew();
      sent = withAuthorization(headers, session.token());
    } finally {
      client.dispose();
    }
  }
}

/**
 * Returns the operation to run. The requested name may be that of the previous tab: a user who switches tabs
 * and runs within a tenth of a second is faster than GraphiQL, which has not parsed the query again by then.
 */
function resolveOperation(params) {
  let document;
  try {
    document = parse(params.query);
  } catch {
    return { operation: null, params }; // The server reports the syntax error.
  }
  const named = getOperationAST(document, params.operationName);
  if (named) return { operation: named, params };
  const operations = document.definitions.filter((it) => it.kind === Kind.OPERATION_DEFINITION);
  if (operations.length !== 1) return { operation: null, params };
  return { operation: operations[0], params: { ...params, operationName: operations[0].name?.value } };
}

async function send(params, headers) {
  try {
    return await fetch(ENDPOINT, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(params),
    });
  } catch {
    throw new Error('The server does not answer. Is `registry serve` still running?');
  }
}

async function read(response) {
  const text = await response.text();
  try {
    const answer = JSON.parse(text);
    if (answer !== null && typeof answer === 'object') return answer;
  } catch {
    // Not JSON: reported below.
  }
  const status = `The server answered ${response.status} ${response.statusText}`.trim();
  return errorResponse(text ? `${status}: ${text.slice(0, 2000)}` : `${status}.`);
}

const errorResponse = (message) => ({ errors: [{ message }] });

function bearer(headers) {
  const [, value] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization') ?? [];
  return value === undefined ? null : String(value).replace(/^Bearer\s+/i, '');
}

function withAuthorization(headers, token) {
  const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization');
  return { ...Object.fromEntries(others), authorization: `Bearer ${token}` };
}

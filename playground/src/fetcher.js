// Sends an operation to `/graphql`, and turns whatever comes back into something that GraphiQL
// can show: an answer of GraphQL, or a sentence.

import { getOperationAST, Kind, parse } from 'graphql';

const ENDPOINT = '/graphql';

export function createFetcher(session) {
  return async function fetcher(asked, { headers = {} } = {}) {
    const { operation, params } = examine(asked);
    if (operation?.operation === 'subscription') {
      return sentence(
        'Subscriptions go through a WebSocket (graphql-transport-ws) at /graphql, which this page does not open. Use another client for this one.',
      );
    }
    // The schema is read before the headers pane exists.
    const isIntrospection = params.operationName === 'IntrospectionQuery';
    const token = bearer(headers) ?? (isIntrospection ? session.token() : null);
    const own = isIntrospection && token ? replaced(headers, token) : headers;

    let response = await send(params, own);
    if (response.status === 401 && token && session.handedOut(token)) {
      // Restarted with other keys, or the token ran out: nothing was done yet, so ask once more.
      await session.renew();
      const fresh = session.token();
      if (fresh && fresh !== token) response = await send(params, replaced(own, fresh));
    }
    return read(response);
  };
}

/**
 * The operation that will run. Its name may be that of the tab before, where a person switches
 * tabs and runs within a tenth of a second: GraphiQL has not read the query again by then.
 */
function examine(params) {
  let document;
  try {
    document = parse(params.query);
  } catch {
    return { operation: null, params }; // The server says what is wrong with it.
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
    // Said below.
  }
  const status = `The server answered ${response.status} ${response.statusText}`.trim();
  return sentence(text ? `${status}: ${text.slice(0, 2000)}` : `${status}.`);
}

const sentence = (message) => ({ errors: [{ message }] });

function bearer(headers) {
  const [, value] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization') ?? [];
  return value === undefined ? null : String(value).replace(/^Bearer\s+/i, '');
}

function replaced(headers, token) {
  const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization');
  return { ...Object.fromEntries(others), authorization: `Bearer ${token}` };
}

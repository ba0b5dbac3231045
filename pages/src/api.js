// The public GraphQL API, over `fetch`, event streams, and the two addresses for files.

import { createClient } from 'graphql-sse';

/** A refusal of the API: its code and the message for the user, and whether the same request may succeed later. */
export class ApiError extends Error {
  constructor({ message, code = null, hint = null, requestId = null, isPassing = false }) {
    super(message);
    Object.assign(this, { code, hint, requestId, isPassing });
  }
}

/** Creates the API in the name of a session. Messages are in `language`. */
export function createApi(session, language, t) {
  const headers = () => ({
    authorization: `Bearer ${session.snapshot().token}`,
    'accept-language': language,
  });

  /** Sends a request again with a new token, once, if the first one was not accepted. */
  async function send(address, init) {
    const attempt = async () => {
      try {
        return await fetch(address, { ...init, headers: { ...headers(), ...init.headers } });
      } catch (error) {
        if (error.name === 'AbortError') throw error;
        throw offline(t);
      }
    };
    const { token } = session.snapshot();
    const response = await attempt();
    return response.status === 401 && (await session.renew(token)) ? attempt() : response;
  }

  async function run(query, variables, signal) {
    const response = await send('/graphql', {
      method: 'POST',
      headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables, operationName: operationName(query) }),
      signal,
    });
    const answer = await readJson(response);
    refuseErrors(answer, response, t);
    return answer.data;
  }

  return {
    /** Runs a query and returns its data. */
    query: run,
    /** Fetches the figures that are published without a login. */
    async publicFigures(signal) {
      let response;
      try {
        response = await fetch('/public/figures', { headers: { accept: 'application/json' }, signal });
      } catch (error) {
        if (error.name === 'AbortError') throw error;
        throw offline(t);
      }
      const answer = await readJson(response);
      refuseErrors(answer, response, t);
      return answer;
    },
    /** Runs a mutation with one root field. Returns its payload with the `errors` about the input. */
    async mutate(document, input) {
      const data = await run(document, { input });
      return Object.values(data)[0];
    },
    /**
     * Follows a subscription, and runs a query after each of its events, until the returned function is called. Both are
     * `[document, variables]`. The subscription says that something has changed, and the query says what: a server may
     * read the relations of an object once for a whole subscription. The query runs also when the browser is online again and
     * when the page is looked at again.
     *
     * `onState` hears `live` or `lost`. A connection that breaks is opened again, with a new token where the old one has
     * expired. A query that fails runs again, unless the same query would fail again.
     */
    follow([subscription, watched], [document, variables], { onData, onState, onError }) {
      const request = { query: subscription, variables: watched, operationName: operationName(subscription) };
      const url = new URL('/graphql', window.location.origin).href;
      let token;
      const client = createClient({
        url,
        headers: () => ((token = session.snapshot().token), headers()),
        retryAttempts: 0,
      });
      const end = new AbortController();
      const refresh = oneAtATime(async () => {
        for (let failures = 1; !end.signal.aborted; failures += 1) {
          try {
            const data = await run(document, variables, end.signal);
            onState('live');
            return onData(data);
          } catch (error) {
            if (end.signal.aborted) return;
            onError(error);
            if (!error.isPassing) return;
            await pause(failures, end.signal);
          }
        }
      });
      let failures = 0;
      let refusal = null;
      const again = async (cause) => {
        if (end.signal.aborted) return;
        onState('lost');
        // A renewal that finds no server is tried again with the stream.
        const isRenewed = !isUnauthenticated(cause) || (await session.renew(token).catch(() => true));
        if (!isRenewed) {
          return onError(new ApiError({ message: t('error.signedOut') }));
        }
        failures += 1;
        await pause(failures, end.signal);
        if (!end.signal.aborted) client.subscribe(request, sink);
      };
      const sink = {
        next(answer) {
          refusal = answer.errors?.length ? toError(answer.errors[0], t) : null;
          if (!refusal) {
            failures = 0;
            refresh();
          } else if (!mayComeBack(refusal)) onError(refusal);
        },
        error: (cause) => again(refusal ?? cause),
        // A stream that was refused is complete after the refusal.
        complete() {
          if (refusal && mayComeBack(refusal)) again(refusal);
        },
      };
      const lookAgain = () => window.document.visibilityState === 'visible' && refresh();
      window.addEventListener('online', lookAgain, { signal: end.signal });
      window.document.addEventListener('visibilitychange', lookAgain, { signal: end.signal });
      client.subscribe(request, sink);
      return () => {
        end.abort();
        client.dispose();
      };
    },
    /** Sends a file, and reports the sent part as a number from 0 to 1. Returns the answer as JSON. */
    async upload(address, file, onProgress) {
      const { token } = session.snapshot();
      try {
        return await upload(address, file, headers(), onProgress, t);
      } catch (error) {
        if (error.code !== 'UNAUTHENTICATED' || !(await session.renew(token))) throw error;
        return upload(address, file, headers(), onProgress, t);
      }
    },
    /** Fetches a file, byte by byte as it is: the mark that tells spreadsheets of UTF-8 is part of it. */
    async download(address) {
      const response = await send(address, { headers: {} });
      if (!response.ok) refuseErrors(await readJson(response), response, t);
      return response.blob();
    },
  };
}

/** Whether a stream was refused because of its token: before it began, or in its first event. */
const isUnauthenticated = (cause) => cause?.code === 'UNAUTHENTICATED' || cause?.response?.status === 401;
/** Whether a stream that was refused may be open later. */
const mayComeBack = (refusal) => refusal.isPassing || isUnauthenticated(refusal);

/** Waits longer after each failure. The wait ends early when the browser is online again or the page is looked at again. */
async function pause(failures, signal) {
  const over = new AbortController();
  const until = (target, event) => new Promise((done) => target.addEventListener(event, done, { signal: over.signal }));
  let timer;
  const time = new Promise((done) => {
    timer = setTimeout(done, Math.min(500 * 2 ** failures, 15_000));
  });
  await Promise.race([time, until(window, 'online'), until(document, 'visibilitychange'), until(signal, 'abort')]);
  clearTimeout(timer);
  over.abort();
}

/** Runs work when it is asked for. Whatever is asked for meanwhile is one more run afterwards. */
function oneAtATime(work) {
  let isRunning = false;
  let isAskedAgain = false;
  return async () => {
    isAskedAgain = true;
    if (isRunning) return;
    isRunning = true;
    while (isAskedAgain) {
      isAskedAgain = false;
      await work();
    }
    isRunning = false;
  };
}

/** `fetch` does not report the progress of a body, so this uses `XMLHttpRequest`. */
function upload(address, file, headers, onProgress, t) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(offline(t));
    request.onload = () => {
      const answer = parsed(request.responseText);
      if (request.status === 200) resolve(answer);
      else reject(Object.assign(toError(answer?.errors?.[0], t), { problems: answer?.errors ?? [] }));
    };
    request.send(file);
  });
}

function refuseErrors(answer, response, t) {
  if (answer?.errors?.length) throw toError(answer.errors[0], t);
  if (!response.ok || !answer) {
    throw new ApiError({ message: t('error.status', { status: response.status }), isPassing: response.status >= 500 });
  }
}

function toError(error, t) {
  if (!error) return new ApiError({ message: t('error.unknown') });
  const { code, requestId, retryable } = error.extensions ?? error;
  return new ApiError({ message: error.message, code, hint: error.hint, requestId, isPassing: retryable === true });
}

const offline = (t) => new ApiError({ code: 'OFFLINE', message: t('error.offline'), isPassing: true });

const readJson = async (response) => parsed(await response.text());

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const operationName = (document) => /(?:query|mutation|subscription)\s+(\w+)/.exec(document)[1];

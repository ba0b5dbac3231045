// The browser storage of GraphiQL, without what must not be stored.
//
// GraphiQL writes `graphiql:*` keys. This module adds a prefix, because many programs of a developer share
// localhost:8080. It drops two kinds of entries:
// - the text last edited (`query`, `variables`, `headers`): the tabs store it too, and GraphiQL opens one
//   more tab at each load if the two copies differ;
// - headers in the history: they hold tokens, which expire and must not stay on a shared machine. An entry
//   that is read from the history gets the current header.

const PREFIX = 'participant-registry:';
const UNUSED = new Set(['graphiql:query', 'graphiql:variables', 'graphiql:headers']);
const HISTORY = new Set(['graphiql:queries', 'graphiql:favorites']);

/** Returns a `Storage` for GraphiQL. `defaultHeaders()` returns the headers for an entry of the history. */
export function createStorage(defaultHeaders) {
  const backend = available() ? window.localStorage : memory();
  const keys = () => Object.keys(backend).filter((key) => key.startsWith(PREFIX));
  return {
    getItem(key) {
      if (UNUSED.has(key)) return null;
      const value = backend.getItem(PREFIX + key);
      return value && HISTORY.has(key) ? withHeaders(value, defaultHeaders()) : value;
    },
    setItem(key, value) {
      if (UNUSED.has(key)) return;
      backend.setItem(PREFIX + key, HISTORY.has(key) ? withHeaders(value, undefined) : value);
    },
    removeItem(key) {
      backend.removeItem(PREFIX + key);
    },
    clear() {
      for (const key of keys()) backend.removeItem(key);
    },
    get length() {
      return keys().length;
    },
  };
}

/** Reads a value that was stored as JSON. Returns null if it is missing or not JSON. */
export function readJson(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

/** Stores a value as JSON. A full or blocked storage only logs a warning: the page works without it. */
export function writeJson(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch (error) {
    console.warn('The browser does not keep the state of the playground.', error);
  }
}

function withHeaders(history, headers) {
  try {
    return JSON.stringify(JSON.parse(history), (key, value) =>
      value !== null && typeof value === 'object' && typeof value.query === 'string'
        ? { ...value, headers: headers || undefined }
        : value,
    );
  } catch {
    return '';
  }
}

function available() {
  try {
    window.localStorage.setItem(`${PREFIX}probe`, '1');
    window.localStorage.removeItem(`${PREFIX}probe`);
    return true;
  } catch {
    return false;
  }
}

/** Returns a replacement for a blocked localStorage, which lasts while the page is open. */
function memory() {
  return Object.create({
    getItem(key) {
      return Object.hasOwn(this, key) ? this[key] : null;
    },
    setItem(key, value) {
      this[key] = String(value);
    },
    removeItem(key) {
      delete this[key];
    },
  });
}

// What the page remembers in the browser, and what it must not.
//
// GraphiQL writes `graphiql:*` keys. Here they get a prefix of our own, since a developer's
// localhost:8080 is shared by many programs. Two kinds of entries do not pass:
// - the text last edited (`query`, `variables`, `headers`): the tabs have it, and GraphiQL opens
//   one more tab at each load when this copy and the tabs differ;
// - headers in the history: they hold tokens, which are stale after a restart and nobody's
//   business on a shared machine. An entry read from the history gets today's header.

const PREFIX = 'participant-registry:';
const UNUSED = new Set(['graphiql:query', 'graphiql:variables', 'graphiql:headers']);
const HISTORY = new Set(['graphiql:queries', 'graphiql:favorites']);

/** A `Storage` for GraphiQL. `defaultHeaders()` is what an entry of the history is given. */
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

/** A value that this page or GraphiQL stored as JSON; null where there is none that can be read. */
export function readJson(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

/** Remembering is a comfort: a full or forbidden storage is no reason to stop. */
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

/** For as long as the page is open, where the browser keeps nothing. */
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

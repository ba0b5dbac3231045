// Who uses the pages. There are three ways to get a token:
//
// - a demonstration hands out one for each role;
// - in development a person pastes one of `registry token`;
// - an OpenID provider gives one after sign-in.
//
// Tokens stay in memory. The browser stores the chosen role of a demonstration, but no token.

import { loadSettings } from './settings.js';

const ROLE = 'participant-registry:role';

/** Returns the session that the settings ask for. */
export async function openSession(settings) {
  if (settings.provider) {
    const { openProviderSession } = await import('./provider.js');
    return renewedOnce(await openProviderSession(settings.provider));
  }
  return renewedOnce(settings.tokens.length > 0 ? demoSession(settings.tokens) : pastedSession());
}

/**
 * Lets `renew(refused)` get one token for all requests whose token has expired: a provider takes a refresh token once.
 * `refused` is the token that was not accepted.
 */
function renewedOnce(session) {
  const { renew } = session;
  let running = null;
  return Object.assign(session, {
    async renew(refused) {
      const { token } = session.snapshot();
      if (!running && token !== refused) return token !== null;
      running ??= renew().finally(() => {
        running = null;
      });
      return running;
    },
  });
}

/** Keeps a state and tells its listeners of changes. */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    snapshot: () => state,
    set(next) {
      state = { ...state, ...next };
      listeners.forEach((listener) => listener());
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function demoSession(tokens) {
  const wanted = stored(ROLE);
  const store = createStore({ token: null, choices: tokens, chosen: null });
  const choose = (label) => {
    const { choices } = store.snapshot();
    const chosen = choices.find((it) => it.label === label) ?? choices[0];
    store.set({ chosen: chosen.label, token: chosen.token });
  };
  choose(wanted);
  return {
    kind: 'demo',
    snapshot: store.snapshot,
    subscribe: store.subscribe,
    choose(label) {
      keep(ROLE, label);
      choose(label);
    },
    /** Fetches new tokens, for a server that was restarted. Returns whether the token changed. */
    async renew() {
      const before = store.snapshot().token;
      const settings = await loadSettings();
      if (settings.tokens.length === 0) return false;
      store.set({ choices: settings.tokens });
      choose(store.snapshot().chosen);
      return store.snapshot().token !== before;
    },
  };
}

function pastedSession() {
  const store = createStore({ token: null, refused: false });
  return {
    kind: 'pasted',
    snapshot: store.snapshot,
    subscribe: store.subscribe,
    paste: (token) => store.set({ token: token.trim().replace(/^Bearer\s+/i, '') || null, refused: false }),
    async renew() {
      store.set({ token: null, refused: true });
      return false;
    },
    signOut: () => store.set({ token: null, refused: false }),
  };
}

/** Reads a value that the browser stores. Returns null where storage is blocked. */
export function stored(key) {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Stores a value. Where storage is blocked, it is forgotten. */
export function keep(key, value) {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // The page works without storage.
  }
}

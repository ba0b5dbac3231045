// The selected role, its token and its authorization header. The browser stores the role but never the token.

import { applyEdits, modify, parse } from 'jsonc-parser';
import { loadSettings } from './settings.js';

const ROLE = 'graphiql:playgroundRole';

export function createSession(tokens, storage) {
  const listeners = new Set();
  const handedOut = new Set();
  let state = { tokens: [], chosen: null };

  function accept(next) {
    for (const it of next) handedOut.add(it.token);
    const wanted = state.chosen ? nameOf(state.chosen) : storage.getItem(ROLE);
    set({ tokens: next, chosen: next.find((it) => nameOf(it) === wanted) ?? next[0] ?? null });
  }

  function set(next) {
    state = next;
    for (const listener of listeners) listener();
  }

  accept(tokens);

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Returns `{ tokens, chosen }`: a new object after each change, as `useSyncExternalStore` requires. */
    snapshot: () => state,
    token: () => state.chosen?.token ?? null,
    /** Returns whether the server sent this token during this visit. */
    handedOut: (token) => handedOut.has(token),
    choose(chosen) {
      storage.setItem(ROLE, nameOf(chosen));
      set({ ...state, chosen });
    },
    /** Fetches the tokens again, for a server that restarted while the page was open. */
    async renew() {
      const settings = await loadSettings();
      accept(settings.tokens);
    },
    /** Returns the text for the headers pane. */
    defaultHeaders: () => (state.chosen ? withToken('', state.chosen.token) : ''),
  };
}

/** Returns the bearer token in the text of the headers pane, or null. */
export function tokenIn(headers) {
  const [, value] = authorization(headers) ?? [];
  return typeof value === 'string' ? (/^Bearer\s+(.*)$/i.exec(value)?.[1] ?? value) : null;
}

/** Replaces the token in the text of the headers pane. Keeps everything else, including comments. */
export function withToken(headers, token) {
  const [name] = authorization(headers) ?? ['Authorization'];
  const text = isObject(parse(headers)) ? headers : '{}';
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: '\n' };
  return applyEdits(text, modify(text, [name], `Bearer ${token}`, { formattingOptions }));
}

function authorization(headers) {
  const parsed = parse(headers);
  if (!isObject(parsed)) return undefined;
  return Object.entries(parsed).find(([name]) => name.toLowerCase() === 'authorization');
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/**
 * Returns the key of a role in the menu. Several tokens may have one role, such as two partners; their labels
 * differ.
 */
export const nameOf = ({ role, label }) => (label && label !== role ? `${role} ${label}` : `${role}`);

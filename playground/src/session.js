// Who the page is: the role chosen, its token, and the header made of it.
// Tokens live in memory alone; the browser remembers the role, never the token.

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
    /** `{ tokens, chosen }`; a new object after each change. */
    snapshot: () => state,
    token: () => state.chosen?.token ?? null,
    /** Whether this token came from the server's settings, now or earlier in this visit. */
    handedOut: (token) => handedOut.has(token),
    choose(chosen) {
      storage.setItem(ROLE, nameOf(chosen));
      set({ ...state, chosen });
    },
    /** Fetches tokens anew, for a server that was restarted while the page stayed open. */
    async renew() {
      const settings = await loadSettings();
      accept(settings.tokens);
    },
    /** The text for the headers pane. */
    defaultHeaders: () => (state.chosen ? withToken('', state.chosen.token) : ''),
  };
}

/** The bearer token in the text of the headers pane, if there is one. */
export function tokenIn(headers) {
  const [, value] = authorization(headers) ?? [];
  return typeof value === 'string' ? (/^Bearer\s+(.*)$/i.exec(value)?.[1] ?? value) : null;
}

/** The same text with another token; what else it says stays, comments included. */
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

/** A role may have several tokens (two partners, say): its label tells them apart. */
export const nameOf = ({ role, label }) => (label && label !== role ? `${role} ${label}` : `${role}`);

// Merges the example tabs of the server with the tabs that GraphiQL stored on the last visit, before GraphiQL
// reads them. The server sends the examples because they name people of the demonstration.
//
// - An example that the user did not change is replaced by the server's current one, or removed with it.
// - An example that the user changed stays. If the server's example changed too, that one opens in another
//   tab.
// - An example that the user closed stays closed.
// - Tabs that the user opened stay as they are.
//
// The id of a tab identifies its example: GraphiQL keeps it.

import { readJson, writeJson } from './storage.js';

const TABS = 'graphiql:tabState';
const SERVED = 'graphiql:playgroundExamples';
const MARK = 'example:';

/** Writes the tabs of this visit into `storage`. Returns the active tab and two helpers. */
export function prepareTabs(storage, served) {
  const examples = served.map(toTab);
  const stored = readJson(storage, TABS);
  const last = readJson(storage, SERVED);
  const state = isTabState(stored)
    ? update(stored, Array.isArray(last) ? last : [], examples)
    : { activeTabIndex: 0, tabs: examples };
  if (state.tabs.length === 0) {
    storage.removeItem(TABS);
    return { active: null, keepTitles: () => {}, allThere: () => true };
  }
  writeJson(storage, TABS, state);
  writeJson(storage, SERVED, examples);
  return {
    active: state.tabs[state.activeTabIndex],
    keepTitles: titleKeeper(examples),
    /** Returns whether these tabs include every example, unchanged. */
    allThere: (tabs) => examples.every((it) => tabs.some((tab) => tab.id === it.id && same(tab, it))),
  };
}

/** Makes the next load reopen every example. An example that the user changed becomes a tab of their own. */
export function forgetClosedExamples(storage) {
  storage.removeItem(SERVED);
}

function update(stored, last, examples) {
  const lastById = byId(last);
  const nowById = byId(examples);
  const inFront = stored.tabs[stored.activeTabIndex];
  let front = null;
  const tabs = [];
  const missing = new Set(examples.map((it) => it.id).filter((id) => !lastById.has(id)));

  for (const tab of stored.tabs) {
    let kept = tab;
    if (tab.id.startsWith(MARK)) {
      const before = lastById.get(tab.id);
      const now = nowById.get(tab.id);
      if (now && same(tab, now)) {
        kept = now;
        missing.delete(tab.id);
      } else if (before && same(tab, before)) {
        if (!now) continue;
        kept = now;
      } else if (now && before && same(before, now)) {
        // Only the user changed it: it remains the tab of this example.
        kept = { ...tab, title: operationName(tab.query) === now.operationName ? now.title : tab.title };
      } else {
        kept = { ...tab, id: crypto.randomUUID?.() ?? `own:${Math.random()}` };
        if (now) missing.add(now.id);
      }
    }
    if (tab === inFront) front = kept;
    tabs.push(kept);
  }

  // Keeps the server's order: each goes behind the previous example, or to the front.
  examples.forEach((example, index) => {
    if (!missing.has(example.id)) return;
    const earlier = new Set(examples.slice(0, index).map((it) => it.id));
    tabs.splice(tabs.findLastIndex((tab) => earlier.has(tab.id)) + 1, 0, example);
  });
  return { tabs, activeTabIndex: Math.max(0, tabs.indexOf(front)) };
}

/**
 * Returns a callback that restores the titles of examples. GraphiQL names a tab after its operation at each
 * change; an example keeps the server's title while it has the same operation.
 */
function titleKeeper(examples) {
  const known = byId(examples);
  return ({ tabs }) => {
    for (const tab of tabs) {
      const example = known.get(tab.id);
      if (example && operationName(tab.query) === example.operationName) tab.title = example.title;
    }
  };
}

function toTab({ title, query, variables }, index, all) {
  const name = operationName(query);
  const shown = title || name || `Example ${index + 1}`;
  const nth = all.slice(0, index).filter((it) => it.title === title).length;
  return {
    id: `${MARK}${shown}${nth > 0 ? `:${nth + 1}` : ''}`,
    title: shown,
    query,
    variables,
    headers: null,
    operationName: name,
    response: null,
  };
}

const byId = (tabs) => new Map(tabs.map((tab) => [tab.id, tab]));

const same = (one, other) =>
  trimmed(one.query) === trimmed(other.query) && trimmed(one.variables) === trimmed(other.variables);

const trimmed = (text) => (text ?? '').trim();

/** Returns the name of the first operation, with GraphiQL's own pattern. */
function operationName(query) {
  return /^(?!#).*(query|subscription|mutation)\s+([a-zA-Z0-9_]+)/m.exec(query ?? '')?.[2] ?? null;
}

function isTabState(value) {
  return (
    value !== null &&
    typeof value === 'object' &&
    Number.isInteger(value.activeTabIndex) &&
    Array.isArray(value.tabs) &&
    value.tabs.length > 0 &&
    value.tabs.every((tab) => typeof tab?.id === 'string' && typeof tab.title === 'string')
  );
}

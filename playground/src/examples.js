// Example tabs: the server hands them out, since they name people of the demo register.
//
// What GraphiQL stored of the last visit is brought up to date before it reads it:
// - an example that nobody changed is replaced by what the server says now, or goes with it;
// - an example that was changed is its author's: it stays, and a newer one comes beside it;
// - an example that was closed stays closed;
// - tabs that the user opened are not touched.
// Examples are told apart by the id of their tab, which GraphiQL keeps.

import { readJson, writeJson } from './storage.js';

const TABS = 'graphiql:tabState';
const SERVED = 'graphiql:playgroundExamples';
const MARK = 'example:';

/** Writes the tabs of this visit into `storage`, and says which of them is in front. */
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
    /** Whether every example is among these tabs as the server gave it. */
    allThere: (tabs) => examples.every((it) => tabs.some((tab) => tab.id === it.id && same(tab, it))),
  };
}

/** At the next load every example is there again; a changed one becomes a tab of the user's own. */
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
        // Changed by the user, not by the server: it remains this example's tab.
        kept = { ...tab, title: operationName(tab.query) === now.operationName ? now.title : tab.title };
      } else {
        kept = { ...tab, id: crypto.randomUUID?.() ?? `own:${Math.random()}` };
        if (now) missing.add(now.id);
      }
    }
    if (tab === inFront) front = kept;
    tabs.push(kept);
  }

  // Each at its place in the server's order: behind the example before it, or in front.
  examples.forEach((example, index) => {
    if (!missing.has(example.id)) return;
    const earlier = new Set(examples.slice(0, index).map((it) => it.id));
    tabs.splice(tabs.findLastIndex((tab) => earlier.has(tab.id)) + 1, 0, example);
  });
  return { tabs, activeTabIndex: Math.max(0, tabs.indexOf(front)) };
}

/**
 * GraphiQL names a tab after its operation at each change. An example keeps the title that the
 * server gave it for as long as it is about the same operation.
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

/** The first operation's name, found as GraphiQL finds it. */
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

// Light or dark: what the system says, until the visitor chooses. A stylesheet cannot know the choice, so the root
// element carries it.

import { createStore, keep, stored } from './session.js';

const THEME = 'participant-registry:theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');
const store = createStore({ theme: chosenTheme() });

/** Returns `light` or `dark`. */
export function chosenTheme() {
  const chosen = stored(THEME);
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return system.matches ? 'dark' : 'light';
}

/** Chooses light or dark, and returns it. */
export function applyTheme(theme) {
  keep(THEME, theme);
  show();
  return theme;
}

/** Changes of the theme, for charts that are drawn and not styled. */
export const themeStore = store;

function show() {
  const theme = chosenTheme();
  document.documentElement.dataset.theme = theme;
  store.set({ theme });
}

system.addEventListener('change', show);
// Paper is light.
window.addEventListener('beforeprint', () => {
  document.documentElement.dataset.theme = 'light';
});
window.addEventListener('afterprint', show);
show();

// The address of the page as state. A router library would be larger than these functions: there are seven addresses,
// and none of them is nested.

import { useSyncExternalStore } from './ui/external-store.js';

const listeners = new Set();
const notify = () => listeners.forEach((listener) => listener());
window.addEventListener('popstate', notify);

/** Goes to an address of this application. */
export function navigate(address, { replace = false } = {}) {
  window.history[replace ? 'replaceState' : 'pushState'](null, '', address);
  notify();
  if (!replace) window.scrollTo(0, 0);
}

/** Returns the current path with its query. */
export function useAddress() {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => window.location.pathname + window.location.search,
  );
}

/** A link within the application. The browser handles clicks that open another tab or window. */
export function followLink(event) {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!plain || event.defaultPrevented) return;
  event.preventDefault();
  navigate(event.currentTarget.getAttribute('href'));
}

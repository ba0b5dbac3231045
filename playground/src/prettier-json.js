// Stands in for prettier where only JSON is to be put in order (see `vite.config.js`).
// `jsonc-parser`, which GraphiQL has anyway, does it in place, comments included.

import { applyEdits, format as edits } from 'jsonc-parser';

export function format(content) {
  const options = { insertSpaces: true, tabSize: 2, eol: '\n' };
  return applyEdits(content, edits(content, undefined, options)).trim();
}

// What the callers look for in a prettier plugin.
export const parsers = {};
export const printers = {};
export default { format, parsers, printers };

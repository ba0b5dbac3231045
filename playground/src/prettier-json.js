// Replaces prettier where GraphiQL formats only JSON (see `vite.config.js`). It uses `jsonc-parser`, which
// GraphiQL bundles anyway and which keeps comments.

import { applyEdits, format as edits } from 'jsonc-parser';

export function format(content) {
  const options = { insertSpaces: true, tabSize: 2, eol: '\n' };
  return applyEdits(content, edits(content, undefined, options)).trim();
}

// Callers expect these exports of a prettier plugin.
export const parsers = {};
export const printers = {};
export default { format, parsers, printers };

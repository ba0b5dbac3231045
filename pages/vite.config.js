// Bundles the pages into `dist`, which is committed and embedded in the binary. `index.html` is the application,
// `clearance.html` the template of a certificate, which the server fills in.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: '/pages/',
  // Vite compiles JSX itself, so the pages need no plugin.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    sourcemap: false,
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    // The content security policy allows no data: URLs for scripts and styles.
    assetsInlineLimit: 0,
    rolldownOptions: { input: [here('index.html'), here('clearance.html')] },
  },
});

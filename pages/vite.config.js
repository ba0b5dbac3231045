// Bundles the pages into `dist`, which is committed and embedded in the binary. `index.html` is the application,
// `clearance.html` the template of a certificate, which the server fills in.

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import * as coverage from './src/documents/coverage.js';
import * as onboarding from './src/documents/onboarding.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Writes the documents of the pages by their hash, for operators who allow stored documents only. */
function writeManifest() {
  const hash = (text) => createHash('sha256').update(text).digest('hex');
  const documents = [...Object.values(coverage), ...Object.values(onboarding)];
  const manifest = Object.fromEntries(documents.map((text) => [hash(text), text]));
  const source = `${JSON.stringify(manifest, null, 1)}\n`;
  return {
    name: 'write-manifest',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'documents.json', source });
    },
  };
}

export default defineConfig({
  base: '/pages/',
  plugins: [writeManifest()],
  // Vite compiles JSX itself, so the pages need no plugin for it.
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

// Bundles the playground into `dist`, which is committed and embedded in the binary: the page
// itself is served at `/`, everything else below `/playground/`.
//
// Most of this file keeps the bundle small. GraphiQL brings the whole Monaco editor and the whole
// of prettier; what this page cannot use is left out here, by name, so that an upgrade that moves
// one of these files fails the build instead of quietly growing it.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Imports to replace: the module asked for, by whom (end of its path), and what it gets instead. */
const IN_PAGE = [
  // The editor with all its contributions -> the editor with those that a GraphQL page uses.
  [/^monaco-editor\/esm\/vs\/editor\/edcore\.main(\.js)?$/, /monaco-graphql/, here('./src/monaco.js')],
  // Variables and headers are JSON: no need of a JavaScript parser to put them in order.
  [/^prettier\/standalone$/, /utility\/jsonc\.js$/, here('./src/prettier-json.js')],
  [/^prettier\/plugins\/estree$/, /utility\/jsonc\.js$/, here('./src/prettier-json.js')],
  [/^prettier\/parser-babel$/, /utility\/jsonc\.js$/, here('./src/prettier-json.js')],
  // The same file under an older name.
  [/^prettier\/parser-graphql$/, /@graphiql\/react/, 'prettier/plugins/graphql'],
  // Comparing texts side by side: the editor's programming interface offers it, nothing here asks for it.
  [/\/diffEditorWidget\.js$/, /standaloneCodeEditor\.js$/, here('./src/no-diff.js')],
  [/\/multiDiffEditorWidget\.js$/, /standaloneEditor\.js$/, here('./src/no-diff.js')],
];
const IN_WORKERS = [
  // The worker's own formatter: nothing calls it, "Prettify" runs in the page.
  [/^prettier\//, /GraphQLWorker\.js$/, here('./src/prettier-json.js')],
];

function replaceImports(rules) {
  const unused = new Set(rules);
  return {
    name: 'replace-imports',
    enforce: 'pre',
    resolveId(source, importer) {
      const rule = rules.find(([what, by]) => importer && what.test(source) && by.test(importer));
      unused.delete(rule);
      return rule ? this.resolve(rule[2], importer, { skipSelf: true }) : null;
    },
    buildEnd(error) {
      // There is a bundle for each worker, and not every rule has to do with each.
      if (!error && rules === IN_PAGE && unused.size > 0) {
        this.error(`no import matched ${[...unused].map(([what]) => what).join(', ')}`);
      }
    },
  };
}

/** GraphiQL makes the titles of its icons out of the names of functions, which minifying takes away. */
function nameIcons() {
  const id = /@graphiql\/react\/dist\/icons\/index\.js$/;
  return {
    name: 'name-icons',
    transform: {
      filter: { id },
      handler(code) {
        const icon = /generateIcon\((Svg\w+)\)/g;
        if (!icon.test(code)) this.error('the icons of GraphiQL are made in another way now');
        return code.replace(icon, "generateIcon(Object.defineProperty($1, 'name', { value: '$1' }))");
      },
    },
  };
}

export default defineConfig({
  base: '/playground/',
  plugins: [replaceImports(IN_PAGE), nameIcons()],
  worker: { format: 'es', plugins: () => [replaceImports(IN_WORKERS)] },
  build: {
    target: 'es2022',
    sourcemap: false,
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    // The policy allows no data: for scripts and styles; a file each is also easier to account for.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      onLog(level, log, handler) {
        // "use client" of libraries that know server rendering; there is none here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handler(level, log);
      },
    },
  },
});

// Bundles the playground into `dist`, which is committed and embedded in the binary. The server serves the
// page at `/` and everything else below `/playground/`.
//
// Most of this file keeps the bundle small: GraphiQL imports all of the Monaco editor and all of prettier.
// The rules below replace what this page cannot use, by name. An upgrade that moves one of these files fails
// the build, so that the bundle does not grow unnoticed.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Imports to replace: pattern of the imported module, pattern of the importer, replacement. */
const IN_PAGE = [
  // The editor with all contributions: replaced by one with those that a GraphQL page uses.
  [/^monaco-editor\/esm\/vs\/editor\/edcore\.main(\.js)?$/, /monaco-graphql/, here('./src/monaco.js')],
  // Formatting variables and headers, which are JSON, needs no JavaScript parser.
  [/^prettier\/standalone$/, /utility\/jsonc\.js$/, here('./src/prettier-json.js')],
  [/^prettier\/plugins\/estree$/, /utility\/jsonc\.js$/, here('./src/prettier-json.js')],
  [/^prettier\/parser-babel$/, /utility\/jsonc\.js$/, here('./src/prettier-json.js')],
  // The same file under an older name.
  [/^prettier\/parser-graphql$/, /@graphiql\/react/, 'prettier/plugins/graphql'],
  // The diff editor: part of Monaco's API, but unused here.
  [/\/diffEditorWidget\.js$/, /standaloneCodeEditor\.js$/, here('./src/no-diff.js')],
  [/\/multiDiffEditorWidget\.js$/, /standaloneEditor\.js$/, here('./src/no-diff.js')],
];
const IN_WORKERS = [
  // The formatter of the worker: unused, because "Prettify" runs in the page.
  [/^prettier\//, /GraphQLWorker\.js$/, here('./src/prettier-json.js')],
];

function replaceImports(rules) {
  const unused = new Set(rules);
  return {
    name: 'replace-imports',
    enforce: 'pre',
    resolveId(source, importer) {
      const rule = rules.find(([module, by]) => importer && module.test(source) && by.test(importer));
      unused.delete(rule);
      return rule ? this.resolve(rule[2], importer, { skipSelf: true }) : null;
    },
    buildEnd(error) {
      // Each worker is a bundle of its own that matches only some of the rules.
      if (!error && rules === IN_PAGE && unused.size > 0) {
        this.error(`no import matched ${[...unused].map(([module]) => module).join(', ')}`);
      }
    },
  };
}

/** Keeps the titles of icons: GraphiQL derives them from function names, which minification changes. */
function nameIcons() {
  const id = /@graphiql\/react\/dist\/icons\/index\.js$/;
  return {
    name: 'name-icons',
    transform: {
      filter: { id },
      handler(code) {
        const icon = /generateIcon\((Svg\w+)\)/g;
        if (!icon.test(code)) this.error('GraphiQL no longer creates its icons with generateIcon(Svg…): adapt nameIcons');
        return code.replace(icon, "generateIcon(Object.defineProperty($1, 'name', { value: '$1' }))");
      },
    },
  };
}

/**
 * Lets variables omit input fields that have a default. The JSON schema of variables requires every non-null field
 * otherwise, and the editor marks complete variables as wrong.
 */
function omitDefaults() {
  const id = /graphql-language-service\/.*\/getVariablesJSONSchema\.js$/;
  const condition = 'if (fieldRequired) {';
  return {
    name: 'omit-defaults',
    transform: {
      filter: { id },
      handler(code) {
        if (!code.includes(condition)) this.error('graphql-language-service changed: adapt omitDefaults');
        return code.replace(condition, 'if (fieldRequired && field.defaultValue === undefined) {');
      },
    },
  };
}

export default defineConfig({
  base: '/playground/',
  plugins: [replaceImports(IN_PAGE), nameIcons()],
  worker: { format: 'es', plugins: () => [replaceImports(IN_WORKERS), omitDefaults()] },
  build: {
    target: 'es2022',
    sourcemap: false,
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    // The content security policy allows no data: URLs for scripts and styles.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      onLog(level, log, handler) {
        // Libraries mark modules with "use client" for server rendering, which this page does not use.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handler(level, log);
      },
    },
  },
});

// GraphiQL with the role menu, the example tabs and the colours of the system. System fonts replace those of
// GraphiQL (0.4 MB).

import 'graphiql/setup-workers/vite';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './app.css';

import { useEffect, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { forgetClosedExamples, prepareTabs } from './examples.js';
import { createFetcher } from './fetcher.js';
import { createSession, nameOf, tokenIn, withToken } from './session.js';
import { createStorage } from './storage.js';

const EMPTY_PAGE = `# Ctrl-Enter runs the query, Ctrl-Space suggests,
# the book at the top left opens the documentation.
#
# A token goes into the headers pane below:
#   { "Authorization": "Bearer …" }
# \`registry token --role ANALYST\` makes one.

query Viewer {
  viewer {
    name
    role
  }
}
`;

export function mount(element, settings, onFailure) {
  const storage = createStorage(() => session.defaultHeaders());
  const session = createSession(settings.tokens, storage);
  const { active, keepTitles, allThere } = prepareTabs(storage, settings.tabs);
  const fetcher = createFetcher(session);

  createRoot(element, { onUncaughtError: onFailure }).render(
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      defaultQuery={EMPTY_PAGE}
      defaultHeaders={session.defaultHeaders()}
      initialQuery={active ? (active.query ?? '') : undefined}
      initialVariables={active ? (active.variables ?? '') : undefined}
      onTabChange={keepTitles}
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo>
        <div className="registry-bar">
          <RestoreExamples storage={storage} allThere={allThere} />
          {settings.tokens.length > 0 && <RoleMenu session={session} />}
        </div>
      </GraphiQL.Logo>
      <FollowSystemTheme />
      <WrapLines />
    </GraphiQL>,
  );
}

/**
 * The role menu, which sets the token in the headers pane. Each tab has its own headers: a tab gets the
 * current token when it becomes active, unless the user has entered another one.
 */
function RoleMenu({ session }) {
  const { tokens, chosen } = useSyncExternalStore(session.subscribe, session.snapshot);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const [inPane, setInPane] = useState(chosen.token);

  useEffect(() => {
    if (!headerEditor) return undefined;
    const found = tokenIn(headerEditor.getValue());
    if (found !== chosen.token && session.handedOut(found)) {
      headerEditor.setValue(withToken(headerEditor.getValue(), chosen.token));
    }
    const update = () => setInPane(tokenIn(headerEditor.getValue()));
    update();
    const subscription = headerEditor.onDidChangeModelContent(update);
    return () => subscription.dispose();
  }, [headerEditor, tabId, chosen, session]);

  const index = tokens.findIndex((it) => it.token === inPane);
  return (
    <label className="registry-role">
      Role{' '}
      <select
        value={index}
        onChange={(event) => {
          const next = tokens[Number(event.target.value)];
          headerEditor?.setValue(withToken(headerEditor.getValue(), next.token));
          session.choose(next);
        }}
      >
        {index < 0 && (
          <option value={-1} disabled>
            {inPane === null ? 'no token' : 'your own token'}
          </option>
        )}
        {tokens.map((it, position) => (
          <option key={nameOf(it)} value={position} title={it.role}>
            {it.label || it.role}
          </option>
        ))}
      </select>
    </label>
  );
}

/**
 * The button that reopens closed or changed examples. It shows only if there are any, and removes nothing.
 */
function RestoreExamples({ storage, allThere }) {
  const isOffered = useGraphiQL((state) => !allThere(state.tabs));
  if (!isOffered) return null;
  const restore = () => {
    forgetClosedExamples(storage);
    // GraphiQL stores its tabs half a second after a change; reload after that.
    setTimeout(() => window.location.reload(), 700);
  };
  return (
    <button
      type="button"
      className="registry-restore"
      onClick={restore}
      title="Bring back the example tabs as they were; your own tabs and changes stay beside them."
    >
      Restore examples
    </button>
  );
}

/** Wraps long lines, so that no comment is cut. */
function WrapLines() {
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  useEffect(() => {
    for (const editor of [queryEditor, variableEditor, headerEditor]) {
      editor?.updateOptions({ wordWrap: 'on', wrappingIndent: 'indent' });
    }
  }, [queryEditor, variableEditor, headerEditor]);
  return null;
}

/** Switches the editors to the colours of the system. CSS does this for the rest of the page. */
function FollowSystemTheme() {
  const theme = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    if (theme !== null) return undefined;
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    const follow = () => setTheme(null);
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, [theme, setTheme]);
  return null;
}

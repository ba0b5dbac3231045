// Small parts that several pages use.

import { useEffect, useRef, useState } from 'preact/hooks';
import { followLink } from '../router.js';
import { usePage } from '../i18n/index.js';
import { saveCsv } from './csv.js';

export function Link({ href, children, ...rest }) {
  return (
    <a href={href} onClick={followLink} {...rest}>
      {children}
    </a>
  );
}

/** A message about the page: `info`, `warning`, `error` or `done`. Screen readers announce errors at once. */
export function Notice({ kind = 'info', title, children, action }) {
  return (
    <div class={`notice notice-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <div>
        {title && <strong>{title}</strong>}
        <div>{children}</div>
      </div>
      {action}
    </div>
  );
}

/** A section with a heading, its CSV, and other controls. `csv()` returns `{ name, columns, rows }`. */
export function Section({ title, note, csv, controls, class: extra = '', id, children }) {
  const { t, language } = usePage();
  return (
    <section class={`card ${extra}`} aria-labelledby={id}>
      <header class="card-head">
        <div>
          <h2 id={id}>{title}</h2>
          {note && <p class="note">{note}</p>}
        </div>
        <div class="card-tools">
          {controls}
          {csv && (
            <button
              type="button"
              class="button-quiet csv"
              aria-label={t('csv.of', { title })}
              onClick={() => saveCsv(csv(), language, t)}
            >
              CSV
            </button>
          )}
        </div>
      </header>
      {children}
    </section>
  );
}

/** A choice between a few values, as a row of buttons. */
export function Segmented({ label, value, onChange, choices }) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {choices.map(([key, text]) => (
        <button key={key} type="button" aria-pressed={value === key} onClick={() => onChange(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/**
 * A bar that fills up to `value` of `of`. `parts` are drawn one behind another: `[class, number]`. The text beside the
 * bar says the numbers, so the bar itself has only a label.
 */
export function Bar({ label, parts, of }) {
  const width = (value) => `${of > 0 ? Math.min(100, (100 * value) / of) : 0}%`;
  const reached = parts.reduce((sum, [, value]) => sum + value, 0);
  return (
    <div
      class="meter"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={of}
      aria-valuenow={Math.min(reached, of)}
    >
      {parts.map(([kind, value]) => (
        <span key={kind} class={`meter-part ${kind}`} style={{ width: width(value) }} />
      ))}
    </div>
  );
}

export function Loading() {
  const { t } = usePage();
  return (
    <p class="loading" role="status">
      {t('page.loading')}
    </p>
  );
}

let isFirstPage = true;

/** The title of the browser tab and the heading of the page, which gets the focus when another page is opened. */
export function PageHead({ title, note, back, children }) {
  const { t } = usePage();
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} – ${t('shell.name')}`;
  }, [title, t]);
  useEffect(() => {
    if (!isFirstPage) heading.current.focus({ preventScroll: true });
    isFirstPage = false;
  }, []);
  return (
    <header class="page-head">
      <div>
        {back}
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {note && <p class="note">{note}</p>}
      </div>
      {children}
    </header>
  );
}

/** Loads data, again when `inputs` change. Returns `{ data, error, reload }`; old data stay while new ones load. */
export function useLoad(load, inputs) {
  const [state, setState] = useState({ data: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (data) => !abort.signal.aborted && setState({ data, error: null }),
      (error) => !abort.signal.aborted && setState((before) => ({ ...before, error })),
    );
    return () => abort.abort();
  }, [...inputs, turn]);
  return { ...state, reload: () => setTurn((it) => it + 1) };
}

/**
 * Loads the pages of a connection one after the other. `load(after, signal)` returns a connection. Returns the nodes so far
 * (null until the first page is there), and the properties of [More].
 */
export function usePages(load, inputs) {
  const [later, setLater] = useState([]);
  const [isLoading, setLoading] = useState(false);
  const [failure, setFailure] = useState(null);
  const first = useLoad((signal) => load(null, signal), inputs);
  const pages = first.data ? [first.data, ...later] : [];
  const pageInfo = pages.at(-1)?.pageInfo;
  const onMore = async () => {
    setLoading(true);
    setFailure(null);
    try {
      const page = await load(pageInfo.endCursor);
      setLater((before) => [...before, page]);
    } catch (error) {
      setFailure(error);
    }
    setLoading(false);
  };
  const nodes = first.data && pages.flatMap((page) => page.nodes);
  return { nodes, error: first.error, more: { hasNextPage: pageInfo?.hasNextPage, isLoading, failure, onMore } };
}

/** A button for the next page of a connection, and why it could not be loaded. */
export function More({ hasNextPage, isLoading, failure, onMore }) {
  const { t } = usePage();
  if (!hasNextPage) return null;
  return (
    <>
      {failure && <Notice kind="error">{failure.message}</Notice>}
      <p class="more">
        <button type="button" class="button" disabled={isLoading} onClick={onMore}>
          {t('page.more')}
        </button>
      </p>
    </>
  );
}

// A choice among many: the first page of them, or those that have the words of a search in their names.

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';
import { Notice, useLoad } from '../ui/parts.jsx';

/** Time after the last letter of a search until it is asked for, in milliseconds. */
const PAUSE = 300;

/**
 * A choice of one of the nodes that `load(name, signal)` returns as a connection; `name` is null or the words of a search.
 * `keyOf(node)` tells nodes apart. Until somebody chooses, it is the one that `usual(nodes)` returns.
 */
export function SearchChoice({ label, value, onChange, load, keyOf, usual = ([first]) => first }) {
  const { t } = usePage();
  const [words, setWords] = useState('');
  const [name, setName] = useState(null);
  const [isLong, setLong] = useState(false);
  const timer = useRef(0);
  const id = useId();
  useEffect(() => () => clearTimeout(timer.current), []);
  const { data, error } = useLoad((signal) => load(name, signal), [name]);
  useEffect(() => {
    if (!data) return;
    if (data.pageInfo.hasNextPage) setLong(true);
    if (value === null && name === null && data.nodes.length > 0) onChange(usual(data.nodes));
  }, [data]);
  // What is chosen stays chosen while others are searched for.
  const found = data?.nodes ?? [];
  const nodes = value === null || found.some((it) => keyOf(it) === keyOf(value)) ? found : [value, ...found];

  const search = (text, pause) => {
    setWords(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setName(text.trim() || null), pause);
  };
  const enter = (event) => {
    if (event.key !== 'Enter') return;
    // The form is not sent by a search.
    event.preventDefault();
    search(words, 0);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {isLong && (
        <input
          type="search"
          aria-label={t('form.search', { what: label })}
          placeholder={t('form.searchHint')}
          value={words}
          onInput={(event) => search(event.currentTarget.value, PAUSE)}
          onKeyDown={enter}
        />
      )}
      <select
        id={id}
        required
        value={value === null ? '' : keyOf(value)}
        onChange={(event) => onChange(nodes.find((it) => keyOf(it) === event.currentTarget.value))}
      >
        <option value="" disabled>
          {t('form.choose')}
        </option>
        {nodes.map((it) => (
          <option key={keyOf(it)} value={keyOf(it)}>
            {it.name}
          </option>
        ))}
      </select>
      {isLong && (
        <small role="status">
          {data?.pageInfo.hasNextPage ? t('form.firstOnes') : t('form.found', { found: found.length })}
        </small>
      )}
      {error && <Notice kind="error">{error.message}</Notice>}
    </div>
  );
}

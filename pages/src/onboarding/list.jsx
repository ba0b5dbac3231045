// What a monthly list changes: its rows by kind of change, what is due for the month before and after, and who is absent.

import { useState } from 'preact/hooks';
import { ABSENT, LIST_ROWS } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { readCsv, saveCsv } from '../ui/csv.js';
import { Loading, More, Notice, Section, usePages } from '../ui/parts.jsx';

export function ListChanges({ batch }) {
  const { t, api, name, format, language } = usePage();
  const found = batch.changes.filter(({ rows }) => rows > 0);
  const [chosen, setChosen] = useState(null);
  const [failure, setFailure] = useState(null);
  const download = async () => {
    setFailure(null);
    try {
      const table = readCsv(await (await api.download(batch.differencesUrl)).text());
      saveCsv({ name: `differences-${batch.id}`, ...inWords(table, name) }, language, t);
    } catch (error) {
      setFailure(error);
    }
  };
  const controls = batch.differencesUrl && (
    <button type="button" class="button" onClick={download} data-action="differences">
      {t('list.differences')}
    </button>
  );
  return (
    <Section id="list" title={t('list.title')} note={t('list.note')} controls={controls}>
      {failure && <Notice kind="error">{failure.message}</Notice>}
      {batch.fallenWages?.rows > 0 && (
        <Notice kind="warning">
          {t('list.fallen', { rows: format.number(batch.fallenWages.rows), percent: batch.fallenWages.percent })}
        </Notice>
      )}
      <Due batch={batch} />
      <div class="chips" role="group" aria-label={t('list.filter')}>
        {found.map(({ change, rows }) => (
          <button
            key={change}
            type="button"
            class="chip"
            aria-pressed={chosen === change}
            onClick={() => setChosen(chosen === change ? null : change)}
          >
            {name('change', change)} <b data-figure={change}>{format.number(rows)}</b>
          </button>
        ))}
      </div>
      {chosen && <Rows key={chosen} batch={batch} change={chosen} />}
    </Section>
  );
}

/** Returns the differences with the names of the changes as the page has them. */
function inWords([header, ...rows], name) {
  const change = header.indexOf('change');
  const words = (cell, column) => (column === change ? name('change', cell) : cell);
  return { columns: header, rows: rows.map((row) => row.map(words)) };
}

/** What is due for the month by programme, before and after the list. */
function Due({ batch }) {
  const { t, name, format } = usePage();
  const { dueBefore: before, dueAfter: after } = batch;
  if (!before && !after) return <p class="note">{t('list.hidden')}</p>;
  const programmes = [...new Set([...(before ?? []), ...(after ?? [])].map(({ programme }) => programme))];
  const of = (due, programme) => due?.find((it) => it.programme === programme);
  const sum = (due) => due && due.reduce((all, { employer, worker }) => all + employer + worker, 0);
  const amount = (value) => (value === null || value === undefined ? '–' : format.rupiah(value));
  const cell = (due, programme) => amount(due && (of(due, programme) ? sum([of(due, programme)]) : 0));
  return (
    <div class="table-wide" role="region" aria-label={t('list.due')} tabIndex={0}>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{t('list.due')}</th>
            <th scope="col" class="number">{t('list.before')}</th>
            <th scope="col" class="number">{t('list.after')}</th>
          </tr>
        </thead>
        <tbody>
          {programmes.map((programme) => (
            <tr key={programme}>
              <th scope="row">
                {name('programme', programme)}
                <small>{(of(after, programme) ?? of(before, programme)).rule.title}</small>
              </th>
              <td class="number">{cell(before, programme)}</td>
              <td class="number">{cell(after, programme)}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">{t('list.total')}</th>
            <td class="number" data-figure="dueBefore">{amount(sum(before))}</td>
            <td class="number" data-figure="dueAfter">{amount(sum(after))}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

/** The rows of one change, or the absent people. */
function Rows({ batch, change }) {
  const { t, api, format } = usePage();
  const isAbsent = change === 'ABSENT';
  const load = async (after, signal) => {
    const variables = { id: batch.id, after, ...(isAbsent ? {} : { change: [change] }) };
    const { onboardingBatch } = await api.query(isAbsent ? ABSENT : LIST_ROWS, variables, signal);
    return isAbsent ? onboardingBatch.absent : onboardingBatch.rows;
  };
  const { nodes, error, more } = usePages(load, [api, batch.id, batch.state]);
  if (error) return <Notice kind="error">{error.message}</Notice>;
  if (!nodes) return <Loading />;
  // Wages and days are shown to people who may read personal data and state a purpose.
  const wages = nodes.some((it) => it.wageAfter !== null && it.wageAfter !== undefined);
  const days = nodes.some((it) => it.content?.lastDay || it.content?.leavingReason);
  const ends = isAbsent && nodes.some(({ ended }) => ended !== null);
  const wage = (value) => (value === null ? '–' : format.rupiah(value));
  return (
    <>
      <div class="table-wide" role="region" aria-label={t('list.title')} tabIndex={0}>
        <table class="table">
          <thead>
            <tr>
              {!isAbsent && <th scope="col" class="number">{t('rows.line')}</th>}
              <th scope="col">{t('list.person')}</th>
              {wages && <th scope="col" class="number">{t('list.wageBefore')}</th>}
              {wages && <th scope="col" class="number">{t('list.wageAfter')}</th>}
              {days && <th scope="col">{t('field.lastDay')}</th>}
              {days && <th scope="col">{t('field.leavingReason')}</th>}
              {ends && <th scope="col">{t('list.ended')}</th>}
            </tr>
          </thead>
          <tbody>
            {nodes.map((it, index) => (
              <tr key={it.number ?? index}>
                {!isAbsent && <td class="number">{format.number(it.line ?? it.number)}</td>}
                <th scope="row">{it.participant?.fullName ?? it.content?.fullName ?? t('list.unnamed')}</th>
                {wages && <td class="number">{wage(it.wageBefore)}</td>}
                {wages && <td class="number">{wage(it.wageAfter)}</td>}
                {days && <td>{it.content?.lastDay}</td>}
                {days && <td>{it.content?.leavingReason}</td>}
                {ends && <td>{it.ended === null ? '' : t(it.ended ? 'list.yes' : 'list.no')}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More {...more} />
    </>
  );
}

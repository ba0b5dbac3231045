// The rows with problems: which cell, what is in it, what is wrong, what to do. The sender of the file can correct refused
// cells here, or drop a corrected file.

import { useState } from 'preact/hooks';
import { REFUSED_ROWS, ROWS } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { readCsv, saveFile } from '../ui/csv.js';
import { Loading, More, Notice, Section, useLoad, usePages } from '../ui/parts.jsx';
import { Again } from './again.jsx';

/** Reports up to this many rows are shown in the page. Larger ones are downloaded. */
const MOST_CELLS = 2_000;

export function ProblemRows({ batch, isOwn }) {
  const { t, api, name, format } = usePage();
  // A monthly list is sent as a whole again: a person who is not in it would be absent.
  const isEditable = isOwn && !batch.month;
  const [code, setCode] = useState(null);
  const [chosen, setFlagged] = useState(null);
  const [failure, setFailure] = useState(null);
  const [edits, setEdits] = useState({});
  const { received, rejected, flagged } = batch.counts;
  // It opens on rows that are there.
  const isFlagged = chosen ?? rejected === 0;
  const filter = code ? { code: [code] } : isFlagged ? { flagged: true } : { outcome: ['REJECTED'] };
  const report = useReport(batch, isOwn && batch.state !== 'APPLYING' && rejected > 0 && rejected <= MOST_CELLS);
  if (received === 0) return null;
  if (rejected === 0 && flagged === 0) {
    return (
      <Section id="problems" title={t('rows.title')}>
        <p>{t('rows.none')}</p>
      </Section>
    );
  }

  const download = async () => {
    setFailure(null);
    try {
      saveFile(`report-${batch.id}.csv`, await api.download(batch.reportUrl));
    } catch (error) {
      setFailure(error);
    }
  };
  const controls = batch.reportUrl && rejected > 0 && (
    <button type="button" class="button" onClick={download} data-action="report">
      {t('rows.report')}
    </button>
  );
  const edit = (row, column, value) => setEdits((before) => ({ ...before, [row]: { ...before[row], [column]: value } }));
  return (
    <Section id="problems" title={t('rows.title')} note={t(batch.month ? 'rows.noteList' : 'rows.note')} controls={controls}>
      {failure && <Notice kind="error">{failure.message}</Notice>}
      <div class="chips" role="group" aria-label={t('rows.filter')}>
        {rejected > 0 && (
          <Chip pressed={!isFlagged && !code} onClick={() => (setFlagged(false), setCode(null))}>
            {t('counts.rejected')} <b>{format.number(rejected)}</b>
          </Chip>
        )}
        {flagged > 0 && (
          <Chip pressed={isFlagged && !code} onClick={() => (setFlagged(true), setCode(null))}>
            {t('counts.flagged')} <b>{format.number(flagged)}</b>
          </Chip>
        )}
        {batch.byProblem.map((it) => (
          <Chip key={it.code} pressed={code === it.code} onClick={() => setCode(code === it.code ? null : it.code)}>
            {name('problem', it.code)} <b>{format.number(it.rows)}</b>
          </Chip>
        ))}
      </div>
      <Rows key={JSON.stringify(filter)} batch={batch} filter={filter} report={report} edits={edits} onEdit={isEditable ? edit : null} />
      {isOwn && rejected > 0 && <Again batch={batch} report={report} edits={edits} />}
    </Section>
  );
}

function Chip({ pressed, onClick, children }) {
  return (
    <button type="button" class="chip" aria-pressed={pressed} onClick={onClick}>
      {children}
    </button>
  );
}

/**
 * Loads the refused rows as they were sent, by the number of their row. The report has them in the order of the file, and
 * so has the API, page by page; together they say which line is which.
 */
function useReport(batch, isWanted) {
  const { api } = usePage();
  const { data } = useLoad(
    async (signal) => {
      if (!isWanted || !batch.reportUrl) return null;
      const numbers = [];
      let after = null;
      do {
        const { onboardingBatch } = await api.query(REFUSED_ROWS, { id: batch.id, after }, signal);
        numbers.push(...onboardingBatch.rows.nodes.map(({ number }) => number));
        after = onboardingBatch.rows.pageInfo.hasNextPage ? onboardingBatch.rows.pageInfo.endCursor : null;
      } while (after);
      const [header, ...rows] = readCsv(await (await api.download(batch.reportUrl)).text());
      if (rows.length !== numbers.length) return null;
      // The last column says what is wrong.
      const cells = (row) => row.slice(0, -1).map(unquoted);
      return { header: cells(header), rows: new Map(rows.map((row, index) => [numbers[index], cells(row)])) };
    },
    [api, batch.id, batch.state, batch.counts.rejected, isWanted],
  );
  return data;
}

/** Reports begin long numbers with an apostrophe, so that spreadsheets keep them as text. */
const unquoted = (cell) => cell.replace(/^'/, '');

function Rows({ batch, filter, report, edits, onEdit }) {
  const { t, api } = usePage();
  const load = async (after, signal) => (await api.query(ROWS, { id: batch.id, filter, after }, signal)).onboardingBatch.rows;
  const { nodes: rows, error, more } = usePages(load, [api, batch.id, batch.state]);
  if (error) return <Notice kind="error">{error.message}</Notice>;
  if (!rows) return <Loading />;
  return (
    <>
      <div class="table-wide" role="region" aria-label={t('rows.title')} tabIndex={0}>
        <table class="table rows">
          <thead>
            <tr>
              <th scope="col" class="number">
                {t('rows.line')}
              </th>
              <th scope="col">{t('rows.column')}</th>
              {report && <th scope="col">{t('rows.cell')}</th>}
              <th scope="col">{t('rows.problem')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.flatMap((row) =>
              row.problems.map((problem, index) => (
                <Problem
                  key={`${row.number} ${index}`}
                  row={row}
                  problem={problem}
                  columns={batch.columns}
                  report={report}
                  edits={edits}
                  onEdit={onEdit}
                />
              )),
            )}
          </tbody>
        </table>
      </div>
      <More {...more} />
    </>
  );
}

function Problem({ row, problem, columns, report, edits, onEdit }) {
  const { t, name, format } = usePage();
  const field = problem.path.at(-1);
  const column = columns.findIndex((it) => it.field === field);
  const title = column >= 0 ? columns[column].name : name('field', field);
  const sent = report?.rows.get(row.number)?.[column];
  const line = row.line ?? row.number;
  const isRefusal = problem.severity === 'ERROR';
  return (
    <tr class={isRefusal ? '' : 'is-warning'}>
      <th scope="row" class="number">
        <span class="narrow">{t('rows.line')}</span> {format.number(line)}
      </th>
      <td>{title}</td>
      {report && (
        <td class="sent">
          {sent !== undefined && onEdit && isRefusal ? (
            <input
              class="cell"
              aria-label={t('rows.edit', { column: title, line })}
              value={edits[row.number]?.[column] ?? sent}
              onInput={(event) => onEdit(row.number, column, event.currentTarget.value)}
            />
          ) : (
            <code>{sent}</code>
          )}
        </td>
      )}
      <td>
        <b>{name('problem', problem.code)}</b>
        <br />
        {problem.message} {problem.hint && <span class="hint">{problem.hint}</span>}
      </td>
    </tr>
  );
}

// Corrected rows are another batch under the same terms. Nobody is enrolled twice, so a file may hold rows that were
// right before.

import { useMemo, useState } from 'preact/hooks';
import { CANCEL } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { Link } from '../ui/parts.jsx';
import { DropField } from './drop.jsx';
import { Check, ProblemList } from './form.jsx';
import { start, termsOf } from './start.js';

export function Again({ batch, report, edits }) {
  const { t, api, format } = usePage();
  const [isReplaced, setReplaced] = useState(false);
  const [problems, setProblems] = useState([]);
  const [isSending, setSending] = useState(false);
  // The same corrections are one batch, however often they are sent.
  const key = useMemo(() => crypto.randomUUID(), [edits]);
  const terms = termsOf(batch.id);
  const isPlan = batch.state === 'AWAITING_APPROVAL';
  const corrected = Object.keys(edits).length;
  if (!terms) {
    return (
      <p class="note">
        {t('again.elsewhere')} <Link href="/onboarding">{t('onboarding.title')}</Link>
      </p>
    );
  }
  const send = async (file, ownKey, replaces) => {
    setSending(true);
    try {
      if (replaces) {
        const input = { batchId: batch.id, reason: t('again.reason'), idempotencyKey: crypto.randomUUID() };
        const { errors } = await api.mutate(CANCEL, input);
        if (errors.length > 0) return setProblems(errors);
      }
      setProblems(await start(api, terms, file, ownKey));
    } catch (error) {
      setProblems([error]);
    } finally {
      setSending(false);
    }
  };
  return (
    <div class="again">
      <h3>{t('again.title')}</h3>
      {corrected > 0 && (
        <p>
          <button
            type="button"
            class="button button-primary"
            disabled={isSending}
            onClick={() => send(correctedFile(batch, report, edits), key, false)}
          >
            {t('again.send', { rows: format.number(corrected) })}
          </button>
        </p>
      )}
      <DropField
        label={t('again.drop')}
        hint={t(batch.month ? 'again.hintList' : 'again.hint')}
        file={null}
        onFile={(file) => send(file, crypto.randomUUID(), isPlan && isReplaced)}
        disabled={isSending}
      />
      {isPlan && (
        <Check checked={isReplaced} onChange={() => setReplaced(!isReplaced)}>
          {t('again.replaces')}
        </Check>
      )}
      <ProblemList problems={problems} />
    </div>
  );
}

/** The rows with corrected cells, in the columns of the file. */
function correctedFile(batch, report, edits) {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = Object.entries(edits).map(([number, cells]) =>
    report.rows.get(Number(number)).map((sent, column) => cells[column] ?? sent),
  );
  const text = [report.header, ...rows].map((row) => row.map(quoted).join(',')).join('\r\n');
  return new File([`\u{feff}${text}\r\n`], correctedName(batch.fileName), { type: 'text/csv' });
}

const correctedName = (name) => `${(name ?? 'roster').replace(/\.\w+$/, '')}-corrected.csv`;

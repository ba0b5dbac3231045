// The end of a batch before it is done, by its sender or by somebody who may approve it.

import { useState } from 'preact/hooks';
import { CANCEL } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { APPROVERS } from './approval.jsx';
import { ProblemList } from './form.jsx';

export function Cancel({ batch, isOwn }) {
  const { t, api, viewer } = usePage();
  const [reason, setReason] = useState('');
  const [problems, setProblems] = useState([]);
  const [isBusy, setBusy] = useState(false);
  if (!isOwn && !APPROVERS.includes(viewer.role)) return null;
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { errors } = await api.mutate(CANCEL, { batchId: batch.id, idempotencyKey: crypto.randomUUID(), reason });
      setProblems(errors);
    } catch (error) {
      setProblems([error]);
    }
    setBusy(false);
  };
  return (
    <details class="card cancel">
      <summary>{t('cancel.title')}</summary>
      <form onSubmit={submit}>
        <label class="field">
          <span>{t('cancel.reason')}</span>
          <input required maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
        <ProblemList problems={problems} />
        <button type="submit" class="button" disabled={isBusy}>
          {t('cancel.button')}
        </button>
      </form>
    </details>
  );
}

// `/onboarding/{id}`: one batch from its file to its report.

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api.js';
import { BATCH_CHANGED, BATCH_NOW } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { Link, Loading, Notice, PageHead } from '../ui/parts.jsx';
import { Approval } from './approval.jsx';
import { Cancel } from './cancel.jsx';
import { Columns } from './columns.jsx';
import { Counts } from './counts.jsx';
import { ListChanges } from './list.jsx';
import { ProblemRows } from './problem-rows.jsx';
import { payerOf, Terms } from './terms.jsx';
import { Upload } from './upload.jsx';
import { WorkUnits } from './work-units.jsx';

export const FINAL = ['COMPLETED', 'CANCELLED', 'FAILED'];

export function BatchPage({ argument: id }) {
  const { t, api, name, format, viewer } = usePage();
  const [batch, setBatch] = useState(null);
  const [error, setError] = useState(null);
  const [isLost, setLost] = useState(false);
  useEffect(
    () =>
      api.follow([BATCH_CHANGED, { id }], [BATCH_NOW, { id }], {
        onData({ onboardingBatch }) {
          setBatch(onboardingBatch);
          setError(onboardingBatch ? null : new ApiError({ message: t('batch.unknown') }));
        },
        onState: (state) => setLost(state === 'lost'),
        onError: setError,
      }),
    [api, id],
  );
  const back = <Link class="back" href="/onboarding">{t('onboarding.title')}</Link>;
  if (!batch) {
    return (
      <>
        <PageHead title={t('onboarding.title')} back={back} />
        {error ? <Notice kind="error">{error.message}</Notice> : <Loading />}
      </>
    );
  }
  const isOwn = batch.submittedBy === viewer.name;
  const note = [payerOf(batch, t), batch.channel.name, t('batch.by', { name: batch.submittedBy, at: format.moment(batch.submittedAt) })];
  return (
    <>
      <PageHead title={batch.fileName ?? t('batches.request')} note={note.join(' · ')} back={back}>
        <span class={`tag tag-large tag-${batch.state}`} role="status" data-state={batch.state}>
          {name('state', batch.state)}
        </span>
      </PageHead>
      {isLost && !FINAL.includes(batch.state) && <Notice kind="warning">{t('error.reconnecting')}</Notice>}
      {error && <Notice kind="error">{error.message}</Notice>}
      <Steps state={batch.state} />
      <Ending batch={batch} />
      <Terms batch={batch} />
      {batch.state === 'RECEIVING' && <Upload batch={batch} isOwn={isOwn} />}
      {batch.state !== 'RECEIVING' && <Counts batch={batch} />}
      {batch.changes.length > 0 && <ListChanges batch={batch} />}
      {batch.state === 'AWAITING_APPROVAL' && <Approval batch={batch} isOwn={isOwn} />}
      {!FINAL.includes(batch.state) && <Cancel batch={batch} isOwn={isOwn} />}
      {batch.state !== 'RECEIVING' && batch.state !== 'VALIDATING' && <ProblemRows batch={batch} isOwn={isOwn} />}
      {batch.state !== 'RECEIVING' && <Columns batch={batch} />}
      {batch.workUnits > 0 && batch.state !== 'VALIDATING' && <WorkUnits batch={batch} />}
    </>
  );
}

const STEPS = ['RECEIVING', 'VALIDATING', 'AWAITING_APPROVAL', 'APPLYING', 'COMPLETED'];

/** Where the batch is on its way. */
function Steps({ state }) {
  const { t } = usePage();
  const at = STEPS.indexOf(state);
  if (at < 0) return null;
  // On a small screen it scrolls, also by the keyboard.
  return (
    <ol class="steps" aria-label={t('steps.label')} tabIndex={0}>
      {STEPS.map((step, index) => (
        <li
          key={step}
          class={index < at || state === 'COMPLETED' ? 'is-done' : index === at ? 'is-current' : ''}
          aria-current={index === at ? 'step' : undefined}
        >
          {t(`steps.${step}`)}
        </li>
      ))}
    </ol>
  );
}

/** What is to be said once a batch has ended. */
function Ending({ batch }) {
  const { t, format } = usePage();
  const { state, counts, approvedBy, cancelledBy, cancelReason, finishedAt, problems } = batch;
  if (state === 'COMPLETED') {
    const key = batch.month ? 'batch.applied' : 'batch.done';
    const text = t(key, { enrolled: format.number(counts.enrolled), at: format.moment(finishedAt) });
    return <Notice kind="done" title={text}>{approvedBy && t('batch.approvedBy', { name: approvedBy })}</Notice>;
  }
  if (state === 'CANCELLED') {
    return <Notice kind="warning" title={cancelledBy ? t('batch.cancelledBy', { name: cancelledBy }) : t('batch.expired')}>{cancelReason}</Notice>;
  }
  if (state !== 'FAILED') return null;
  return (
    <Notice kind="error" title={t('batch.failed')}>
      {problems.map(({ message }) => message).join(' ')}
    </Notice>
  );
}

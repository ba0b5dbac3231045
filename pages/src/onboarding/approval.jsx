// The approval of a plan by another person.

import { useState } from 'preact/hooks';
import { APPROVE } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { Section } from '../ui/parts.jsx';
import { Absent, isComplete, NOBODY, toInput } from './absent.jsx';
import { ProblemList } from './form.jsx';

export const APPROVERS = ['ADMINISTRATOR', 'APPROVER'];

export function Approval({ batch, isOwn }) {
  const { t, api, viewer, format } = usePage();
  const [problems, setProblems] = useState([]);
  const [isBusy, setBusy] = useState(false);
  const [absent, setAbsent] = useState(NOBODY);
  const approvePlan = async () => {
    setBusy(true);
    try {
      const { planDigest } = batch;
      const input = { batchId: batch.id, idempotencyKey: crypto.randomUUID(), planDigest, ...toInput(absent) };
      const { errors } = await api.mutate(APPROVE, input);
      setProblems(errors);
    } catch (error) {
      setProblems([error]);
    }
    setBusy(false);
  };
  const mayApprove = APPROVERS.includes(viewer.role) && !isOwn;
  const rows = format.number(batch.counts.pending);
  const [check, approve] = batch.month ? ['approval.checkList', 'approval.approveList'] : ['approval.check', 'approval.approve'];
  const absentPeople = batch.changes.find((it) => it.change === 'ABSENT')?.rows ?? 0;
  const isAnybodyAbsent = absentPeople > 0;
  // The button says all that it does.
  const ending = absent.whose === 'NOBODY' || !isComplete(absent) ? null : {
    people: format.number(absent.whose === 'ALL' ? absentPeople : absent.people.length),
    day: format.day(absent.on),
  };
  return (
    <Section id="approval" title={t('approval.title')} class="approval">
      {mayApprove ? (
        <>
          <p>{t(check, { rows })}</p>
          {isAnybodyAbsent && <Absent batch={batch} decision={absent} onDecide={setAbsent} />}
          <button
            type="button"
            class="button button-primary"
            disabled={isBusy || !isComplete(absent)}
            onClick={approvePlan}
          >
            {ending ? t('approval.approveEnding', { rows, ...ending }) : t(approve, { rows })}
          </button>
        </>
      ) : (
        <>
          <p>{isOwn ? t('approval.own') : t('approval.role')}</p>
          <Address />
        </>
      )}
      <p class="note digest">
        {t('approval.digest')} <code>{batch.planDigest}</code>
      </p>
      <ProblemList problems={problems} />
    </Section>
  );
}

/** The address of this page, for the person who approves. */
function Address() {
  const { t } = usePage();
  const [isCopied, setCopied] = useState(false);
  const address = window.location.href;
  const copy = async () => {
    await navigator.clipboard.writeText(address);
    setCopied(true);
  };
  return (
    <p class="address">
      <code>{address}</code>
      {navigator.clipboard && (
        <button type="button" class="button" onClick={copy}>
          {isCopied ? t('approval.copied') : t('approval.copy')}
        </button>
      )}
    </p>
  );
}

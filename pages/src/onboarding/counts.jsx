// The rows of a batch by outcome, and what is due.

import { usePage } from '../i18n/index.js';
import { Bar, Section } from '../ui/parts.jsx';

const OUTCOMES = [
  ['enrolled', 'part-active'],
  ['pending', 'part-registered'],
  ['alreadyEnrolled', 'part-rest'],
  ['rejected', 'part-rejected'],
];

export function Counts({ batch }) {
  const { t, format } = usePage();
  const { counts, state, monthlyContributions } = batch;
  const isPlan = state === 'VALIDATING' || state === 'AWAITING_APPROVAL';
  const isList = batch.kind === 'MONTHLY_LIST';
  // Of a list, the rows that are not enrolled change something else, or nothing.
  const text = (outcome) => {
    if (isPlan && outcome === 'pending') return t(isList ? 'counts.wouldChange' : 'counts.wouldEnroll');
    return t(isList && outcome === 'alreadyEnrolled' ? 'counts.listed' : `counts.${outcome}`);
  };
  const isRunning = state === 'APPLYING' || state === 'VALIDATING';
  const csv = () => ({
    name: `onboarding-${batch.id}`,
    columns: ['outcome', 'rows'],
    rows: [...OUTCOMES.map(([outcome]) => outcome), 'flagged', 'received'].map((it) => [it, counts[it]]),
  });
  return (
    <Section id="counts" title={isPlan ? t('counts.plan') : t('counts.result')} csv={csv} class="counts">
      <p class="figure">
        <strong data-figure="received">{format.number(counts.received)}</strong> <span>{t('counts.rows')}</span>
      </p>
      <div class={isRunning ? 'is-running' : ''}>
        <Bar label={t('counts.bar')} of={counts.received} parts={OUTCOMES.map(([outcome, part]) => [part, counts[outcome]])} />
      </div>
      <ul class="legend">
        {OUTCOMES.map(([outcome, part]) => (
          <li key={outcome}>
            <i class={`swatch ${part}`} />
            {text(outcome)} <b data-figure={outcome}>{format.number(counts[outcome])}</b>
          </li>
        ))}
        <li>
          <i class="swatch part-flagged" />
          {t('counts.flagged')} <b data-figure="flagged">{format.number(counts.flagged)}</b>
        </li>
      </ul>
      {monthlyContributions > 0 && !isList && (
        <p class="due">
          {t('counts.due')} <strong>{format.rupiah(monthlyContributions)}</strong>
        </p>
      )}
    </Section>
  );
}

// The rows of a batch by outcome, and what is due.

import { usePage } from '../i18n/index.js';
import { Bar, Section } from '../ui/parts.jsx';

const OUTCOMES = [
  ['enrolled', 'part-active'],
  ['pending', 'part-registered'],
  ['alreadyEnrolled', 'part-rest'],
  ['rejected', 'part-rejected'],
];
const OUTCOMES_OF_LIST = [
  ['enrolled', 'part-active'],
  ['changed', 'part-inactive'],
  ['pending', 'part-registered'],
  ['unchanged', 'part-rest'],
  ['rejected', 'part-rejected'],
];

export function Counts({ batch }) {
  const { t, format } = usePage();
  const { counts, state, monthlyContributions } = batch;
  const isPlan = state === 'VALIDATING' || state === 'AWAITING_APPROVAL';
  const isList = batch.kind === 'MONTHLY_LIST';
  // Of a list, the rows that enroll nobody change something else, or nothing.
  const unchanged = batch.changes.find(({ change }) => change === 'UNCHANGED')?.rows ?? 0;
  const changed = Math.max(0, counts.alreadyEnrolled - unchanged);
  const of = { ...counts, changed, unchanged: counts.alreadyEnrolled - changed };
  const outcomes = isList ? OUTCOMES_OF_LIST.filter(([outcome]) => !isPlan || outcome !== 'changed') : OUTCOMES;
  const text = (outcome) => {
    if (isPlan && outcome === 'pending') return t(isList ? 'counts.wouldChange' : 'counts.wouldEnroll');
    return t(`counts.${outcome}`);
  };
  const isRunning = state === 'APPLYING' || state === 'VALIDATING';
  const csv = () => ({
    name: `onboarding-${batch.id}`,
    columns: ['outcome', 'rows'],
    rows: [...outcomes.map(([outcome]) => outcome), 'flagged', 'received'].map((it) => [text(it), of[it]]),
  });
  return (
    <Section id="counts" title={isPlan ? t('counts.plan') : t('counts.result')} csv={csv} class="counts">
      <p class="figure">
        <strong data-figure="received">{format.number(counts.received)}</strong> <span>{t('counts.rows')}</span>
      </p>
      <div class={isRunning ? 'is-running' : ''}>
        <Bar label={t('counts.bar')} of={counts.received} parts={outcomes.map(([outcome, part]) => [part, of[outcome]])} />
      </div>
      <ul class="legend">
        {outcomes.map(([outcome, part]) => (
          <li key={outcome}>
            <i class={`swatch ${part}`} />
            {text(outcome)} <b data-figure={outcome}>{format.number(of[outcome])}</b>
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

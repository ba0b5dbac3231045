// The figures at the top: active people and the way to the target, everybody by status, provinces under agreement.

import { usePage } from '../i18n/index.js';
import { Bar, Section } from '../ui/parts.jsx';

const STATUSES = ['active', 'registered', 'inactive', 'ended'];

export function Headline({ picture, name, day }) {
  return (
    <div class="headline">
      <Progress picture={picture} name={name} day={day} />
      <Statuses counts={picture.counts} name={name} />
    </div>
  );
}

function Progress({ picture, name, day }) {
  const { t, format } = usePage();
  const { counts, target, progress } = picture;
  const csv = () => ({
    name: `${name}-target`,
    columns: ['day', 'active', 'target', 'year', 'gap'],
    rows: [[day, counts.active, target?.active ?? null, target?.year ?? null, target ? Math.max(0, target.active - counts.active) : null]],
  });
  return (
    <Section id="progress" title={t('progress.title')} csv={csv} class="progress">
      <p class="figure">
        <strong data-figure="active">{format.number(counts.active)}</strong> <span>{t('progress.active')}</span>
      </p>
      {target ? (
        <>
          <Bar label={t('progress.title')} of={target.active} parts={[['part-active', counts.active]]} />
          <p class="between">
            <span>
              <b>{format.percent(progress)}</b> {t('progress.of', { target: format.number(target.active), year: target.year })}
            </span>
            <span>{t('progress.gap', { gap: format.number(Math.max(0, target.active - counts.active)) })}</span>
          </p>
        </>
      ) : (
        <p class="note">{t('progress.none')}</p>
      )}
    </Section>
  );
}

function Statuses({ counts, name }) {
  const { t, format } = usePage();
  const csv = () => ({
    name: `${name}-status`,
    columns: ['status', 'people'],
    rows: [...STATUSES, 'total'].map((status) => [status, counts[status]]),
  });
  return (
    <Section id="statuses" title={t('status.title')} csv={csv}>
      <p class="figure">
        <strong data-figure="total">{format.number(counts.total)}</strong> <span>{t('status.total')}</span>
      </p>
      <Bar label={t('status.title')} of={counts.total} parts={STATUSES.map((status) => [`part-${status}`, counts[status]])} />
      <ul class="legend">
        {STATUSES.map((status) => (
          <li key={status}>
            <i class={`swatch part-${status}`} />
            {t(`status.${status}`)} <b>{format.number(counts[status])}</b>
          </li>
        ))}
      </ul>
    </Section>
  );
}

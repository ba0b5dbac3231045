// Agreements with provinces and what they promise; and what others published.

import { usePage } from '../i18n/index.js';
import { Bar, Link, Notice, Section } from '../ui/parts.jsx';
import { onDay } from './picture.js';

export function Agreements({ picture, day, name: file }) {
  const { t, name, format, language } = usePage();
  const agreements = picture.byProvince
    .filter(({ province }) => province.agreement)
    .map(({ province }) => ({ ...province.agreement, province, place: language === 'id' ? province.name : province.nameEn }));
  const csv = () => ({
    name: `${file}-agreements`,
    columns: ['province', 'number', 'status', 'valid_from', 'valid_until', 'scope', 'promised', 'due_on', 'enrolled', 'active'],
    rows: agreements.flatMap((it) => {
      const commitments = it.commitments.length > 0 ? it.commitments : [{}];
      return commitments.map((promise) => [
        it.place, it.number, it.status, it.validFrom, it.validUntil,
        promise.scope, promise.headcount, promise.dueOn, promise.enrolled, promise.active,
      ]);
    }),
  });
  // One province alone is no ratio.
  const note = picture.provincesInAll > 1 && t('agreements.note', { inForce: format.number(picture.provincesInForce), all: format.number(picture.provincesInAll) });
  return (
    <Section id="agreements" title={t('agreements.title')} note={note} csv={csv} class="agreements">
      {day !== null && agreements.length > 0 && <Notice>{t('agreements.today')}</Notice>}
      {agreements.length === 0 && <p class="note">{t('agreements.none')}</p>}
      <ul class="plain">
        {agreements.map((it) => (
          <li key={it.id} class="agreement">
            <p class="between">
              <Link href={onDay(`/coverage/province/${it.province.code}`, day)}>
                <b>{it.place}</b>
              </Link>
              <span class={`tag tag-${it.status}`}>{name('agreement', it.status)}</span>
            </p>
            <p class="note">
              {it.number}
              {it.validFrom && ` · ${t('agreements.from', { day: format.day(it.validFrom) })}`}
              {it.validUntil && ` · ${t('agreements.until', { day: format.day(it.validUntil) })}`}
            </p>
            {it.commitments.map((promise) => (
              <Commitment key={promise.scope} promise={promise} code={it.province.code} />
            ))}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Commitment({ promise, code }) {
  const { t, name, format } = usePage();
  const { scope, headcount, dueOn, enrolled, active } = promise;
  return (
    <div class="commitment" data-commitment={`${code} ${scope}`}>
      <p class="between">
        <span>{name('scope', scope)}</span>
        <span>
          <b data-figure="enrolled">{format.number(enrolled)}</b> {t('agreements.of', { headcount: format.number(headcount) })}
        </span>
      </p>
      <Bar
        label={t('agreements.bar', { scope: name('scope', scope) })}
        of={headcount}
        parts={[
          ['part-active', Math.min(active, headcount)],
          ['part-registered', Math.max(0, Math.min(enrolled, headcount) - active)],
        ]}
      />
      <p class="note">
        {t('agreements.active', { active: format.number(active) })}
        {dueOn && ` · ${t('agreements.due', { day: format.day(dueOn) })}`}
      </p>
    </div>
  );
}

export function Published({ picture, name: file }) {
  const { t, name, format, language } = usePage();
  const { reported } = picture;
  if (reported.length === 0) return null;
  const place = (province) => (province ? (language === 'id' ? province.name : province.nameEn) : t('published.country'));
  const csv = () => ({
    name: `${file}-published`,
    columns: ['metric', 'day', 'place', 'value', 'source'],
    rows: reported.map((it) => [it.metric, it.on, place(it.province), it.value, it.source]),
  });
  return (
    <Section id="published" title={t('published.title')} note={t('published.note')} csv={csv} class="published">
      <ul class="plain published-list">
        {reported.map((it) => (
          <li key={`${it.metric} ${it.on} ${it.province?.code}`}>
            <strong>{format.number(it.value)}</strong>
            <span>{name('metric', it.metric)}</span>
            <small>
              {place(it.province)} · {format.day(it.on)}
              <br />
              {it.source}
            </small>
          </li>
        ))}
      </ul>
    </Section>
  );
}

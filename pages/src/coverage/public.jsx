// `/coverage` before the sign-in, where the operator publishes figures: country and provinces at the end of yesterday.

import { usePage } from '../i18n/index.js';
import { Bar, Loading, Notice, PageHead, Section, useLoad } from '../ui/parts.jsx';

export function PublicCoverage() {
  const { api, t, format } = usePage();
  const { data: figures, error } = useLoad((signal) => api.publicFigures(signal), [api]);
  return (
    <>
      <PageHead title={t('coverage.title')} note={figures && t('public.note', { day: format.day(figures.asOf) })} />
      {error && (
        <Notice kind="error" title={t('coverage.failed')}>
          {error.message}
        </Notice>
      )}
      {!figures && !error && <Loading />}
      {figures && <Figures figures={figures} />}
      <Notice>{t('public.more')}</Notice>
    </>
  );
}

function Figures({ figures }) {
  const { t, format } = usePage();
  const { asOf, step, country, provinces } = figures;
  const few = t('public.few', { step });
  const people = (value) => (value < step ? few : format.number(value));
  return (
    <>
      <Notice>{t('public.steps', { step, few })}</Notice>
      <Country country={country} people={people} name={`coverage-${asOf}`} asOf={asOf} />
      <Provinces provinces={provinces} people={people} name={`coverage-${asOf}`} />
    </>
  );
}

function Country({ country, people, name, asOf }) {
  const { t, format } = usePage();
  const { active, total, target } = country;
  const csv = () => ({
    name: `${name}-public`,
    columns: ['day', 'active', 'total', 'target', 'year'],
    rows: [[asOf, active, total, target?.active ?? null, target?.year ?? null]],
  });
  return (
    <Section id="progress" title={t('progress.title')} csv={csv} class="progress">
      <p class="figure">
        <strong data-figure="active">{people(active)}</strong> <span>{t('progress.active')}</span>
      </p>
      {target ? (
        <>
          <Bar label={t('progress.title')} of={target.active} parts={[['part-active', active]]} />
          <p class="between">
            <span>
              <b>{format.percent(active / target.active)}</b>{' '}
              {t('progress.of', { target: format.number(target.active), year: target.year })}
            </span>
          </p>
        </>
      ) : (
        <p class="note">{t('progress.none')}</p>
      )}
      <p class="note">
        {t('status.total')}: <b data-figure="total">{people(total)}</b>
      </p>
    </Section>
  );
}

function Provinces({ provinces, people, name }) {
  const { t, format } = usePage();
  const sorted = provinces.toSorted((one, other) => other.active - one.active || format.compare(one.name, other.name));
  const csv = () => ({
    name: `${name}-public-provinces`,
    columns: ['code', 'province', 'active', 'total', 'target'],
    rows: sorted.map((it) => [it.code, it.name, it.active, it.total, it.target?.active ?? null]),
  });
  return (
    <Section id="provinces" title={t('map.title')} csv={csv}>
      <div class="table-scroll" role="region" aria-label={t('map.table')} tabIndex={0}>
        <table class="table">
          <caption class="visually-hidden">{t('map.table')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('map.province')}</th>
              <th scope="col" class="number">
                {t('status.active')}
              </th>
              <th scope="col" class="number">
                {t('status.total')}
              </th>
              <th scope="col" class="number">
                {t('map.target')}
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((it) => (
              <tr key={it.code} data-province={it.code}>
                <th scope="row">{it.name}</th>
                <td class="number">{people(it.active)}</td>
                <td class="number">{people(it.total)}</td>
                <td class="number">{it.target ? format.number(it.target.active) : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

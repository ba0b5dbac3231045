// Provinces as a map and as a table, by active people, share of the target, or gap.

import { useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';
import { navigate } from '../router.js';
import { Link, Section, Segmented } from '../ui/parts.jsx';
import { ProvinceMap } from './map.jsx';
import { onDay } from './picture.js';
import { classes } from './scale.js';

/** What a province can be coloured by. A measure of several provinces is that of their sums. */
const MEASURES = {
  active: ({ active }) => active,
  share: ({ active, target }) => (target ? active / target : null),
  gap: ({ active, target }) => (target ? Math.max(0, target - active) : null),
};

export function Provinces({ picture, day, name }) {
  const { t, format, language } = usePage();
  const [measure, setMeasure] = useState('active');
  const [pointed, setPointed] = useState(null);
  const provinces = picture.byProvince.map(({ province, counts, target }) => ({
    ...province,
    shownName: language === 'id' ? province.name : province.nameEn,
    ...counts,
    target: target?.active ?? null,
  }));
  const write = measure === 'share' ? format.percent : format.number;
  const values = provinces.map(MEASURES[measure]);
  const scale = classes(values);
  const open = (code) => navigate(onDay(`/coverage/province/${code}`, day));
  const csv = () => ({
    name: `${name}-provinces`,
    columns: ['code', 'province', 'active', 'registered', 'inactive', 'ended', 'total', 'target', 'gap', 'agreement'],
    rows: provinces.map((it) => [
      it.code, it.shownName, it.active, it.registered, it.inactive, it.ended, it.total, it.target, MEASURES.gap(it),
      it.agreement?.status ?? null,
    ]),
  });
  const controls = (
    <Segmented
      label={t('map.measure')}
      value={measure}
      onChange={setMeasure}
      choices={Object.keys(MEASURES).map((it) => [it, t(`map.${it}`)])}
    />
  );
  return (
    <Section id="provinces" title={t('map.title')} csv={csv} controls={controls} class="provinces">
      {scale.length === 0 && <p class="note">{t('map.noTargets')}</p>}
      <div class="map-and-table">
        <div>
          <ProvinceMap
            provinces={provinces}
            measure={MEASURES[measure]}
            kind={measure}
            scale={scale}
            write={write}
            pointed={pointed}
            onPoint={setPointed}
            onOpen={open}
          />
          <Legend scale={scale} kind={measure} write={write} />
          <p class="credit">
            {t('map.predecessors')}{' '}
            <a href="https://mapsvg.com/maps/indonesia" rel="noreferrer" target="_blank">
              {t('map.credit')}
            </a>
          </p>
        </div>
        <ProvinceTable provinces={provinces} day={day} pointed={pointed} onPoint={setPointed} />
      </div>
    </Section>
  );
}

function Legend({ scale, kind, write }) {
  return (
    <ul class="legend legend-map">
      {scale.map(({ from, until }, index) => (
        <li key={index}>
          <i class={`swatch shade-${kind} shade-${index}`} />
          {from === until ? write(from) : `${write(from)} – ${write(until)}`}
        </li>
      ))}
    </ul>
  );
}

const COLUMNS = [
  ['shownName', 'map.province'],
  ['active', 'status.active'],
  ['total', 'status.total'],
  ['target', 'map.target'],
];

function ProvinceTable({ provinces, day, pointed, onPoint }) {
  const { t, format } = usePage();
  const [order, setOrder] = useState({ by: 'active', down: true });
  const sorted = provinces.toSorted((one, other) => {
    const [a, b] = [one[order.by], other[order.by]];
    const ascending = order.by === 'shownName' ? format.compare(a, b) : (a ?? -1) - (b ?? -1);
    return order.down ? -ascending : ascending;
  });
  const sum = (field) => provinces.reduce((total, it) => total + (it[field] ?? 0), 0);
  const sort = (by) => setOrder((before) => ({ by, down: before.by === by ? !before.down : by !== 'shownName' }));
  const some = (value) => (value === null ? '–' : format.number(value));
  return (
    <div class="table-scroll" role="region" aria-label={t('map.table')} tabIndex={0}>
      <table class="table">
        <caption class="visually-hidden">{t('map.table')}</caption>
        <thead>
          <tr>
            {COLUMNS.map(([by, title]) => (
              <th
                key={by}
                scope="col"
                class={by === 'shownName' ? '' : 'number'}
                aria-sort={order.by === by ? (order.down ? 'descending' : 'ascending') : undefined}
              >
                <button type="button" onClick={() => sort(by)}>
                  {t(title)}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((it) => (
            <tr
              key={it.code}
              class={pointed === it.code ? 'is-pointed' : ''}
              onMouseEnter={() => onPoint(it.code)}
              onMouseLeave={() => onPoint(null)}
              onFocusIn={() => onPoint(it.code)}
              onFocusOut={() => onPoint(null)}
            >
              <th scope="row">
                <Link href={onDay(`/coverage/province/${it.code}`, day)}>{it.shownName}</Link>
                {it.agreement?.status === 'IN_FORCE' && (
                  <span class="dot" role="img" title={t('map.inForce')} aria-label={t('map.inForce')} />
                )}
              </th>
              <td class="number">{format.number(it.active)}</td>
              <td class="number">{format.number(it.total)}</td>
              <td class="number">{some(it.target)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('map.sum')}</th>
            <td class="number" data-figure="provinces-active">
              {format.number(sum('active'))}
            </td>
            <td class="number" data-figure="provinces-total">
              {format.number(sum('total'))}
            </td>
            <td class="number">{provinces.some((it) => it.target !== null) ? format.number(sum('target')) : '–'}</td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

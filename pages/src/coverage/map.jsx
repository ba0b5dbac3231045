// The map of the 34 provinces of 2014: @svg-maps/indonesia, CC BY 4.0. A later province is drawn with the area of its
// predecessor, which then stands for both.
//
// The map answers to the mouse only. The table beside it has the same provinces, figures and links for keyboards and
// screen readers.

import { useEffect, useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';
import { classOf } from './scale.js';

/** Returns the areas with the provinces that are drawn with each. */
function areasOf(map, provinces) {
  const areas = new Map(map.locations.map(({ id, path }) => [id.toUpperCase(), { id, path, provinces: [] }]));
  for (const province of provinces) {
    const area = areas.get(province.isoCode) ?? areas.get(province.predecessor?.isoCode);
    area?.provinces.push(province);
  }
  return [...areas.values()];
}

/** Returns the sums of an area. A target that one of its provinces does not have counts for none of them. */
function sumsOf({ provinces }) {
  const active = provinces.reduce((sum, it) => sum + it.active, 0);
  const target = provinces.reduce((sum, it) => sum + (it.target ?? NaN), 0);
  return { active, target: target > 0 ? target : null };
}

export function ProvinceMap({ provinces, measure, kind, scale, write, pointed, onPoint, onOpen }) {
  const { t } = usePage();
  const [map, setMap] = useState(null);
  useEffect(() => {
    // The map is a third of the pages in size, and only this part needs it.
    import('@svg-maps/indonesia').then((module) => setMap(module.default));
  }, []);
  if (!map) return <div class="map map-loading" />;
  const areas = areasOf(map, provinces);
  const shown = areas.find((area) => area.provinces.some(({ code }) => code === pointed));
  // What is pointed at is drawn last, so that no neighbour covers its outline.
  const drawn = shown ? [...areas.filter((it) => it !== shown), shown] : areas;
  return (
    <figure class="map">
      <svg viewBox={map.viewBox} role="img" aria-label={t('map.drawing')}>
        {drawn.map((area) => {
          const value = area.provinces.length > 0 ? measure(sumsOf(area)) : null;
          const shade = classOf(scale, value);
          const code = area.provinces[0]?.code;
          return (
            <path
              key={area.id}
              d={area.path}
              data-province={code}
              class={`area ${shade === null ? 'area-none' : `shade-${kind} shade-${shade}`} ${area === shown ? 'is-pointed' : ''}`}
              onMouseEnter={() => onPoint(code ?? null)}
              onMouseLeave={() => onPoint(null)}
              onClick={() => code && onOpen(code)}
            />
          );
        })}
      </svg>
      <figcaption aria-hidden="true">
        {shown
          ? shown.provinces.map((it) => {
              const value = measure(it);
              return (
                <span key={it.code}>
                  <b>{it.shownName}</b> {value === null ? t('map.unknown') : write(value)}
                </span>
              );
            })
          : t('map.hint')}
      </figcaption>
    </figure>
  );
}

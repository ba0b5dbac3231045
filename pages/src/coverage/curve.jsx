// The curve by month. uPlot draws it on a canvas, so the table below has the same numbers as text.

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { usePage } from '../i18n/index.js';
import { themeStore } from '../theme.js';
import { Section, Segmented } from '../ui/parts.jsx';
import { useSyncExternalStore } from '../ui/external-store.js';
import { curveOf } from './picture.js';

const HEIGHT = 280;

export function Curve({ picture, name }) {
  const { t, format } = usePage();
  const points = curveOf(picture);
  const target = picture.target?.active ?? null;
  const most = Math.max(...points.map(({ active }) => active), 1);
  // A target that is far above would turn the curve into a flat line, so it is drawn on request.
  const [isToTarget, setToTarget] = useState(target !== null && target < 3 * most);
  const csv = () => ({
    name: `${name}-months`,
    columns: ['day', 'active', 'target', 'target_year'],
    rows: points.map(({ on, active }) => [on, active, target, picture.target?.year ?? null]),
  });
  const controls = target !== null && (
    <Segmented
      label={t('curve.scale')}
      value={isToTarget}
      onChange={setToTarget}
      choices={[
        [false, t('curve.people')],
        [true, t('curve.target')],
      ]}
    />
  );
  const [first, last] = [points[0], points.at(-1)];
  const summary = t('curve.summary', {
    from: format.day(first.on),
    first: format.number(first.active),
    until: format.day(last.on),
    last: format.number(last.active),
  });
  return (
    <Section id="curve" title={t('curve.title')} csv={csv} controls={controls}>
      {target !== null && !isToTarget && (
        <p class="note">{t('curve.beyond', { target: format.number(target), year: picture.target.year })}</p>
      )}
      <Plot points={points} target={isToTarget ? target : null} year={picture.target?.year} label={summary} />
      <details class="as-table">
        <summary>{t('page.asTable')}</summary>
        <div class="table-scroll" role="region" aria-label={t('curve.title')} tabIndex={0}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{t('curve.day')}</th>
                <th scope="col" class="number">
                  {t('status.active')}
                </th>
              </tr>
            </thead>
            <tbody>
              {points.toReversed().map(({ on, active }) => (
                <tr key={on}>
                  <th scope="row">{format.day(on)}</th>
                  <td class="number">{format.number(active)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </Section>
  );
}

function Plot({ points, target, year, label }) {
  const { t, format } = usePage();
  const { theme } = useSyncExternalStore(themeStore.subscribe, themeStore.snapshot);
  const box = useRef(null);
  const data = JSON.stringify([points, target]);
  useEffect(() => {
    const element = box.current;
    const days = points.map(({ on }) => Date.parse(`${on}T00:00:00Z`) / 1000);
    const series = [days, points.map(({ active }) => active)];
    if (target !== null) series.push(days.map(() => target));
    let plot;
    // The colours are part of the drawing, and printing changes them.
    const draw = () => {
      plot?.destroy();
      const options = optionsOf({ t, format, year, width: element.clientWidth, hasTarget: target !== null });
      plot = new uPlot(options, series, element);
    };
    draw();
    window.addEventListener('beforeprint', draw);
    window.addEventListener('afterprint', draw);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      window.removeEventListener('beforeprint', draw);
      window.removeEventListener('afterprint', draw);
      observer.disconnect();
      plot.destroy();
    };
  }, [data, theme, format]);
  return <div class="plot" ref={box} role="img" aria-label={label} />;
}

function optionsOf({ t, format, year, width, hasTarget }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui' };
  const toDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const write = (_, value) => (value === null ? '–' : format.number(value));
  const active = {
    label: t('status.active'),
    stroke: colour('--accent'),
    fill: colour('--accent-faint'),
    width: 2,
    points: { show: false },
    value: write,
  };
  const target = { label: `${t('map.target')} ${year}`, stroke: colour('--gold'), width: 2, dash: [6, 5], points: { show: false }, value: write };
  return {
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    cursor: { y: false, drag: { x: false, y: false } },
    // While nothing is pointed at, the legend shows the last day.
    hooks: { ready: [showLast], setCursor: [(plot) => plot.cursor.idx === null && showLast(plot)] },
    scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.08)] } },
    axes: [
      { ...axis, values: (_, splits) => splits.map((it) => format.month(toDay(it))), space: 70 },
      { ...axis, values: (_, splits) => splits.map(format.compact), size: 56 },
    ],
    series: [
      { label: t('curve.day'), value: (_, value) => (value === null ? '–' : format.day(toDay(value))) },
      active,
      ...(hasTarget ? [target] : []),
    ],
  };
}

function showLast(plot) {
  plot.setLegend({ idx: plot.data[0].length - 1 }, false);
}

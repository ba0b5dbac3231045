// Participants by kind of channel and by segment, as bars.

import { usePage } from '../i18n/index.js';
import { Bar, Link, Section } from '../ui/parts.jsx';

export function ChannelKinds({ picture, name: file }) {
  const { t, name, format } = usePage();
  const kinds = picture.byChannelKind.toSorted((one, other) => other.counts.active - one.counts.active);
  const most = Math.max(...kinds.map(({ counts }) => counts.total));
  const sum = (field) => kinds.reduce((total, { counts }) => total + counts[field], 0);
  const csv = () => ({
    name: `${file}-channel-kinds`,
    columns: ['kind', 'open_channels', 'active', 'registered', 'inactive', 'ended', 'total'],
    rows: kinds.map(({ kind, channels, counts }) => [
      kind, channels, counts.active, counts.registered, counts.inactive, counts.ended, counts.total,
    ]),
  });
  return (
    <Section id="kinds" title={t('kinds.title')} note={t('kinds.note')} csv={csv}>
      <table class="table bars">
        <thead>
          <tr>
            <th scope="col">{t('kinds.kind')}</th>
            <th scope="col" class="number">
              {t('kinds.open')}
            </th>
            <th scope="col" class="number">
              {t('status.active')}
            </th>
            <th scope="col" class="number">
              {t('status.total')}
            </th>
          </tr>
        </thead>
        <tbody>
          {kinds.map(({ kind, channels, counts }) => (
            <tr key={kind}>
              <th scope="row">
                <Link href={`/coverage/channels/${kind}`}>{name('kind', kind)}</Link>
                <Bar
                  label={t('kinds.bar', { kind: name('kind', kind) })}
                  of={most}
                  parts={[
                    ['part-active', counts.active],
                    ['part-rest', counts.total - counts.active],
                  ]}
                />
              </th>
              <td class="number">{format.number(channels)}</td>
              <td class="number">{format.number(counts.active)}</td>
              <td class="number">{format.number(counts.total)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('map.sum')}</th>
            <td class="number">{format.number(kinds.reduce((total, { channels }) => total + channels, 0))}</td>
            <td class="number" data-figure="kinds-active">
              {format.number(sum('active'))}
            </td>
            <td class="number">{format.number(sum('total'))}</td>
          </tr>
        </tfoot>
      </table>
    </Section>
  );
}

export function Segments({ picture, name: file }) {
  const { t, name, format } = usePage();
  const segments = picture.bySegment;
  const most = Math.max(...segments.map(({ counts }) => counts.total));
  const csv = () => ({
    name: `${file}-segments`,
    columns: ['segment', 'active', 'registered', 'inactive', 'ended', 'total'],
    rows: segments.map(({ segment, counts }) => [
      segment, counts.active, counts.registered, counts.inactive, counts.ended, counts.total,
    ]),
  });
  return (
    <Section id="segments" title={t('segments.title')} note={t('segments.note')} csv={csv}>
      <table class="table bars">
        <thead>
          <tr>
            <th scope="col">{t('segments.segment')}</th>
            <th scope="col" class="number">
              {t('status.active')}
            </th>
            <th scope="col" class="number">
              {t('status.total')}
            </th>
          </tr>
        </thead>
        <tbody>
          {segments.map(({ segment, counts }) => (
            <tr key={segment}>
              <th scope="row">
                {name('segment', segment)}
                <Bar
                  label={t('kinds.bar', { kind: name('segment', segment) })}
                  of={most}
                  parts={[
                    ['part-active', counts.active],
                    ['part-rest', counts.total - counts.active],
                  ]}
                />
              </th>
              <td class="number">{format.number(counts.active)}</td>
              <td class="number">{format.number(counts.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

// Channels as a table, page by page.

import { useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';
import { Link, Loading, More, Notice, Section, useLoad } from '../ui/parts.jsx';

/** Shows a connection of channels. `load(after)` returns a page of it. */
export function ChannelTable({ title, note, file, load, inputs }) {
  const { t, name, format } = usePage();
  const [later, setLater] = useState([]);
  const [isLoading, setLoading] = useState(false);
  const first = useLoad(async () => {
    setLater([]);
    return load(null);
  }, inputs);
  if (first.error) return <Notice kind="error">{first.error.message}</Notice>;
  if (!first.data) return <Loading />;
  const pages = [first.data, ...later];
  const channels = pages.flatMap(({ nodes }) => nodes);
  const { pageInfo } = pages.at(-1);
  const more = async () => {
    setLoading(true);
    const page = await load(pageInfo.endCursor).finally(() => setLoading(false));
    setLater((before) => [...before, page]);
  };
  const csv = () => ({
    name: file,
    columns: ['code', 'channel', 'kind', 'operator', 'opened_on', 'closed_on', 'active', 'total'],
    rows: channels.map((it) => [
      it.code, it.name, it.kind, it.operator, it.openedOn, it.closedOn, it.counts.active, it.counts.total,
    ]),
  });
  const shown = t('channels.shown', { shown: format.number(channels.length), all: format.number(first.data.totalCount) });
  return (
    <Section id="channels" title={title} note={[note, shown].filter(Boolean).join(' ')} csv={csv}>
      <div class="table-wide" role="region" aria-label={title} tabIndex={0}>
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{t('channels.channel')}</th>
              <th scope="col">{t('kinds.kind')}</th>
              <th scope="col">{t('channels.opened')}</th>
              <th scope="col" class="number">
                {t('status.active')}
              </th>
              <th scope="col" class="number">
                {t('status.total')}
              </th>
            </tr>
          </thead>
          <tbody>
            {channels.map((it) => (
              <tr key={it.code}>
                <th scope="row">
                  <Link href={`/coverage/channel/${encodeURIComponent(it.code)}`}>{it.name}</Link>
                  <small>{[it.code, it.operator].filter(Boolean).join(' · ')}</small>
                </th>
                <td>{name('kind', it.kind)}</td>
                <td>{it.isOpen ? it.openedOn && format.day(it.openedOn) : t('channels.closed')}</td>
                <td class="number">{format.number(it.counts.active)}</td>
                <td class="number">{format.number(it.counts.total)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More hasNextPage={pageInfo.hasNextPage} isLoading={isLoading} onMore={more} />
    </Section>
  );
}

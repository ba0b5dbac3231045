// `/coverage/channels/{kind}`: the channels of a kind.

import { CHANNELS_OF_KIND } from '../documents/coverage.js';
import { usePage } from '../i18n/index.js';
import { Link, PageHead } from '../ui/parts.jsx';
import { ChannelTable } from './channel-table.jsx';

export function ChannelListPage({ argument: kind }) {
  const { t, api, name } = usePage();
  const title = name('kind', kind);
  return (
    <>
      <PageHead title={title} note={t('kinds.list')} back={<Link class="back" href="/coverage">{t('shell.coverage')}</Link>} />
      <ChannelTable
        title={t('kinds.channels')}
        file={`channels-${kind}`}
        inputs={[api, kind]}
        load={async (after) => (await api.query(CHANNELS_OF_KIND, { filter: { kind: [kind] }, after })).channels}
      />
    </>
  );
}

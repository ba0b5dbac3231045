// `/coverage/channel/{code}`: a channel and those below it.

import { CHANNEL } from '../documents/coverage.js';
import { usePage } from '../i18n/index.js';
import { Link, Notice, useLoad } from '../ui/parts.jsx';
import { Segments } from './breakdowns.jsx';
import { ChannelTable } from './channel-table.jsx';
import { Curve } from './curve.jsx';
import { Headline } from './headline.jsx';
import { CoverageFrame } from './page.jsx';
import { onDay, useCoverage } from './picture.js';

export function ChannelPage({ argument: code }) {
  const { t, api } = usePage();
  const coverage = useCoverage({ channelCode: code });
  const { picture, day, today } = coverage;
  const { data, error } = useLoad((signal) => api.query(CHANNEL, { code }, signal), [api, code]);
  const channel = data?.channel;
  if (data && !channel) return <Notice kind="warning">{t('channel.unknown', { code })}</Notice>;
  const file = `coverage-${code}-${day ?? today}`;
  return (
    <CoverageFrame
      coverage={coverage}
      title={channel?.name ?? code}
      note={channel && <About channel={channel} day={day} />}
      back={<Link class="back" href={onDay('/coverage', day)}>{t('shell.coverage')}</Link>}
    >
      {error && <Notice kind="error">{error.message}</Notice>}
      {picture && (
        <>
          <Headline picture={picture} name={file} day={day ?? today} />
          <div class="columns">
            <Curve picture={picture} name={file} />
            <Segments picture={picture} name={file} />
          </div>
        </>
      )}
      {channel && channel.children.totalCount > 0 && (
        <ChannelTable
          title={t('channel.children')}
          note={day === null ? null : t('channels.today')}
          file={`channels-below-${code}`}
          inputs={[api, code]}
          load={async (after) => (await api.query(CHANNEL, { code, after })).channel.children}
        />
      )}
    </CoverageFrame>
  );
}

function About({ channel, day }) {
  const { t, name, format, language } = usePage();
  const provinces = channel.provinces.map((it) => (language === 'id' ? it.name : it.nameEn)).join(', ');
  const opened = channel.openedOn && t('channel.opened', { day: format.day(channel.openedOn) });
  const closed = channel.closedOn && t('channel.closed', { day: format.day(channel.closedOn) });
  const own = t('channel.own', { active: format.number(channel.ownCounts.active) });
  const words = [channel.code, name('kind', channel.kind), channel.operator, provinces, opened, closed, own];
  return (
    <>
      {words.filter(Boolean).join(' · ')}
      {channel.parent && (
        <>
          {' · '}
          {t('channel.parent')} <Link href={onDay(`/coverage/channel/${encodeURIComponent(channel.parent.code)}`, day)}>{channel.parent.name}</Link>
        </>
      )}
    </>
  );
}

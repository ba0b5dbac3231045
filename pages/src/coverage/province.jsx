// `/coverage/province/{code}`: a province, its agreement and its channels.

import { PROVINCE } from '../documents/coverage.js';
import { usePage } from '../i18n/index.js';
import { Link, Notice, useLoad } from '../ui/parts.jsx';
import { Agreements, Published } from './agreements.jsx';
import { ChannelKinds, Segments } from './breakdowns.jsx';
import { ChannelTable } from './channel-table.jsx';
import { Curve } from './curve.jsx';
import { Headline } from './headline.jsx';
import { CoverageFrame } from './page.jsx';
import { onDay, useCoverage } from './picture.js';

export function ProvincePage({ argument: code }) {
  const { t, api, language } = usePage();
  const coverage = useCoverage({ provinceCode: code });
  const { picture, day, today } = coverage;
  const { data, error } = useLoad((signal) => api.query(PROVINCE, { code }, signal), [api, code]);
  const province = data?.province;
  const nameOf = (it) => (language === 'id' ? it.name : it.nameEn);
  if (data && !province) return <Notice kind="warning">{t('province.unknown', { code })}</Notice>;
  const note = province && [t('province.code', { code }), t('province.capital', { capital: province.capital }), lineage(province, nameOf, t)];
  const file = `coverage-${code}-${day ?? today}`;
  return (
    <CoverageFrame
      coverage={coverage}
      title={province ? nameOf(province) : code}
      note={note?.filter(Boolean).join(' · ')}
      back={<Link class="back" href={onDay('/coverage', day)}>{t('shell.coverage')}</Link>}
    >
      {error && <Notice kind="error">{error.message}</Notice>}
      {picture && (
        <>
          <Headline picture={picture} name={file} day={day ?? today} />
          <div class="columns">
            <div class="stack">
              <Curve picture={picture} name={file} />
              <ChannelKinds picture={picture} name={file} />
            </div>
            <div class="stack">
              <Agreements picture={picture} day={day} name={file} />
              <Segments picture={picture} name={file} />
              <Published picture={picture} name={file} />
            </div>
          </div>
        </>
      )}
      {province && (
        <ChannelTable
          title={t('province.channels')}
          note={day === null ? null : t('channels.today')}
          file={`channels-${code}`}
          inputs={[api, code]}
          load={async (after) => (await api.query(PROVINCE, { code, after })).province.channels}
        />
      )}
    </CoverageFrame>
  );
}

function lineage({ predecessor, successors }, nameOf, t) {
  if (predecessor) return t('province.predecessor', { name: nameOf(predecessor) });
  if (successors.length > 0) return t('province.successors', { names: successors.map(nameOf).join(', ') });
  return null;
}

// `/coverage`: how far the country is on the way to its target.

import { usePage } from '../i18n/index.js';
import { Link, Loading, Notice, PageHead } from '../ui/parts.jsx';
import { Agreements, Published } from './agreements.jsx';
import { ChannelKinds, Segments } from './breakdowns.jsx';
import { Curve } from './curve.jsx';
import { DayChoice } from './day.jsx';
import { Headline } from './headline.jsx';
import { useCoverage } from './picture.js';
import { Provinces } from './provinces.jsx';

export function CoveragePage() {
  const { t, viewer } = usePage();
  const coverage = useCoverage({});
  const { picture, day, today } = coverage;
  const name = `coverage-${day ?? today}`;
  return (
    <CoverageFrame coverage={coverage} title={t('coverage.title')} note={scopeOf(viewer, t)}>
      {picture && (
        <>
          <Headline picture={picture} name={name} day={day ?? today} />
          <Provinces picture={picture} day={day} name={name} />
          <div class="columns">
            <div class="stack">
              <Curve picture={picture} name={name} />
              <ChannelKinds picture={picture} name={name} />
            </div>
            <div class="stack">
              <Agreements picture={picture} day={day} name={name} />
              <Segments picture={picture} name={name} />
              <Published picture={picture} name={name} />
            </div>
          </div>
        </>
      )}
    </CoverageFrame>
  );
}

/** Title, day, and the messages of a page of figures. */
export function CoverageFrame({ coverage, title, note, back, children }) {
  const { t, viewer, format } = usePage();
  const { picture, error, day, today } = coverage;
  if (error?.code === 'FORBIDDEN') {
    return (
      <>
        <PageHead title={title} />
        <Notice kind="warning" title={t('coverage.forbidden')}>
          <Link href="/onboarding">{t('shell.onboarding')}</Link>
        </Notice>
      </>
    );
  }
  return (
    <>
      <PageHead title={title} note={today && <>{note} · {format.day(day ?? today)}</>} back={back}>
        <DayChoice {...coverage} />
      </PageHead>
      {viewer.role === 'ANALYST' && <Notice>{t('coverage.fives')}</Notice>}
      {error && (
        <Notice kind="error" title={t('coverage.failed')}>
          {error.message}
        </Notice>
      )}
      {!picture && !error && <Loading />}
      {children}
    </>
  );
}

/** Whose figures these are, if not everybody's. */
function scopeOf(viewer, t) {
  const names = [...viewer.provinces.map(({ name }) => name), viewer.channel?.name, viewer.employer?.name].filter(Boolean);
  return names.length > 0 ? t('coverage.scope', { names: names.join(', ') }) : t('coverage.note');
}

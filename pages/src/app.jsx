// The frame of every page: navigation, language, colours, who is signed in; and the page of the address.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { createApi } from './api.js';
import { VIEWER, VIEWER_EMPLOYER } from './documents/coverage.js';
import { PageContext, LANGUAGES, chosenLanguage, chooseLanguage, formats, naming, translator } from './i18n/index.js';
import { navigate, useAddress } from './router.js';
import { SignIn } from './sign-in.jsx';
import { applyTheme, chosenTheme } from './theme.js';
import { CoveragePage } from './coverage/page.jsx';
import { ChannelPage } from './coverage/channel.jsx';
import { ChannelListPage } from './coverage/channel-list.jsx';
import { PublicCoverage } from './coverage/public.jsx';
import { ProvincePage } from './coverage/province.jsx';
import { OnboardingPage } from './onboarding/page.jsx';
import { BatchPage } from './onboarding/batch.jsx';
import { Link, Notice } from './ui/parts.jsx';
import { useSyncExternalStore } from './ui/external-store.js';

const ROUTES = [
  [/^\/coverage$/, CoveragePage, 'coverage'],
  [/^\/coverage\/province\/([^/]+)$/, ProvincePage, 'coverage'],
  [/^\/coverage\/channel\/([^/]+)$/, ChannelPage, 'coverage'],
  [/^\/coverage\/channels\/([^/]+)$/, ChannelListPage, 'coverage'],
  [/^\/onboarding$/, OnboardingPage, 'onboarding'],
  [/^\/onboarding\/([^/]+)$/, BatchPage, 'onboarding'],
];

export function App({ settings, session }) {
  const [language, setLanguage] = useState(chosenLanguage);
  const { token, chosen } = useSyncExternalStore(session.subscribe, session.snapshot);
  const address = useAddress();
  const page = useMemo(() => {
    const t = translator(language);
    return { language, t, name: naming(language), format: formats(language), session, settings, api: createApi(session, language, t) };
  }, [language, session, settings]);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);

  const pick = (code) => {
    chooseLanguage(code);
    setLanguage(code);
  };
  return (
    <PageContext.Provider value={page}>
      {token === null ? (
        <Visitor page={page} address={address} onLanguage={pick} />
      ) : (
        // Another person sees other data, so every part of the page starts anew. A new token of the same person changes nothing.
        <SignedIn key={chosen} page={page} address={address} onLanguage={pick} />
      )}
    </PageContext.Provider>
  );
}

/** Before the sign-in: the published figures at their address, where the operator publishes some. */
function Visitor({ page, address, onLanguage }) {
  const isPublic = page.settings.publicFigures && address.split('?')[0] === '/coverage';
  return (
    <Frame page={page} section={isPublic ? 'coverage' : undefined} language={page.language} onLanguage={onLanguage}>
      {isPublic && <PublicCoverage />}
      <SignIn isBelow={isPublic} />
    </Frame>
  );
}

function SignedIn({ page, address, onLanguage }) {
  const [viewer, setViewer] = useState(null);
  const [failure, setFailure] = useState(null);
  useEffect(() => {
    readViewer(page.api).then(setViewer, setFailure);
  }, [page]);
  const path = address.split('?')[0];
  const route = ROUTES.find(([pattern]) => pattern.test(path));
  useEffect(() => {
    if (!route) navigate('/coverage', { replace: true });
  }, [route]);
  const value = useMemo(() => ({ ...page, viewer }), [page, viewer]);
  const [pattern, Page, section] = route ?? [];
  return (
    <PageContext.Provider value={value}>
      <Frame page={value} section={section} language={page.language} onLanguage={onLanguage}>
        {failure && <Notice kind="error">{failure.message}</Notice>}
        {viewer && route && <Page key={path} argument={decoded(pattern.exec(path)[1] ?? '')} />}
      </Frame>
    </PageContext.Provider>
  );
}

/** Returns a part of an address as text, or as it is if it is no text. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function readViewer(api) {
  const { viewer } = await api.query(VIEWER);
  if (viewer.role !== 'PARTNER') return { ...viewer, employer: null, association: null };
  return { ...viewer, ...(await api.query(VIEWER_EMPLOYER)).viewer };
}

function Frame({ page, section, language, onLanguage, children }) {
  const { t, session, settings, viewer } = page;
  return (
    <>
      <a class="skip" href="#content">
        {t('shell.skip')}
      </a>
      <header class="bar">
        <div class="bar-inner">
          <Link class="brand" href="/coverage">
            <Mark />
            <span>{t('shell.name')}</span>
          </Link>
          <nav aria-label={t('shell.navigation')}>
            <Link href="/coverage" aria-current={section === 'coverage' ? 'page' : undefined}>
              {t('shell.coverage')}
            </Link>
            <Link href="/onboarding" aria-current={section === 'onboarding' ? 'page' : undefined}>
              {t('shell.onboarding')}
            </Link>
            {settings.playground && <a href="/">{t('shell.playground')}</a>}
          </nav>
          <div class="tools">
            <Person session={session} viewer={viewer} t={t} name={page.name} />
            <Languages language={language} onLanguage={onLanguage} label={t('shell.language')} />
            <ThemeButton t={t} />
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <footer class="foot">
        <p>{t('shell.foot')}</p>
        {settings.tokens.length > 0 && <p>{t('shell.demo')}</p>}
      </footer>
    </>
  );
}

function Person({ session, viewer, t, name }) {
  const { choices, chosen, token } = useSyncExternalStore(session.subscribe, session.snapshot);
  if (session.kind === 'demo') {
    return (
      <label class="field-inline">
        <span class="visually-hidden">{t('shell.role')}</span>
        <select value={chosen} onChange={(event) => session.choose(event.currentTarget.value)}>
          {choices.map((it) => (
            <option key={it.label} value={it.label}>
              {it.label}
            </option>
          ))}
        </select>
      </label>
    );
  }
  if (token === null) return null;
  return (
    <span class="person">
      {viewer && (
        <span>
          {viewer.name} <small>{name('role', viewer.role)}</small>
        </span>
      )}
      <button type="button" class="button-quiet" onClick={() => session.signOut()}>
        {t('shell.signOut')}
      </button>
    </span>
  );
}

function Languages({ language, onLanguage, label }) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {LANGUAGES.map(({ code, name }) => (
        <button
          key={code}
          type="button"
          lang={code}
          title={name}
          aria-label={`${code.toUpperCase()}: ${name}`}
          aria-pressed={language === code}
          onClick={() => onLanguage(code)}
        >
          {code.toUpperCase()}
        </button>
      ))}
    </div>
  );
}

function ThemeButton({ t }) {
  const [theme, setTheme] = useState(chosenTheme);
  const isDark = theme === 'dark';
  const change = () => setTheme(applyTheme(isDark ? 'light' : 'dark'));
  return (
    <button type="button" class="button-icon" aria-pressed={isDark} aria-label={t('shell.dark')} title={t('shell.dark')} onClick={change}>
      <svg viewBox="0 0 20 20" aria-hidden="true">
        {isDark ? (
          <path d="M10 5.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10 1v2M10 17v2M1 10h2M17 10h2M3.6 3.6 5 5M15 15l1.4 1.4M3.6 16.4 5 15M15 5l1.4-1.4" />
        ) : (
          <path d="M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7Z" />
        )}
      </svg>
    </button>
  );
}

/** The mark of the registry: people below one roof. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M6 22a10 10 0 0 1 20 0" />
      <circle cx="16" cy="11" r="4" />
    </svg>
  );
}

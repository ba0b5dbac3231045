// What a visitor sees before the sign-in.

import { useState } from 'preact/hooks';
import { usePage } from './i18n/index.js';
import { Notice, PageHead } from './ui/parts.jsx';
import { useSyncExternalStore } from './ui/external-store.js';

/** `isBelow`: there is something for visitors above it, which has the title of the page. */
export function SignIn({ isBelow = false }) {
  const { session, t } = usePage();
  return (
    <div class="sign-in">
      {isBelow ? <h2>{t('signIn.title')}</h2> : <PageHead title={t('signIn.title')} />}
      {session.kind === 'provider' ? <AtProvider session={session} t={t} /> : <WithToken session={session} t={t} />}
    </div>
  );
}

function AtProvider({ session, t }) {
  const { failed } = useSyncExternalStore(session.subscribe, session.snapshot);
  return (
    <>
      <p>{t('signIn.provider')}</p>
      {failed && (
        <Notice kind="error" title={t('signIn.failed')}>
          {failed}
        </Notice>
      )}
      <button type="button" class="button button-primary" onClick={() => session.signIn()}>
        {t('signIn.button')}
      </button>
    </>
  );
}

function WithToken({ session, t }) {
  const { refused } = useSyncExternalStore(session.subscribe, session.snapshot);
  const [token, setToken] = useState('');
  const submit = (event) => {
    event.preventDefault();
    session.paste(token);
  };
  return (
    <form onSubmit={submit}>
      <p>{t('signIn.token')}</p>
      <pre class="command">registry token --role ADMINISTRATOR</pre>
      {refused && <Notice kind="error">{t('signIn.refused')}</Notice>}
      <label class="field">
        <span>{t('signIn.tokenField')}</span>
        <textarea rows={4} required autocomplete="off" spellcheck={false} value={token} onInput={(event) => setToken(event.currentTarget.value)} />
      </label>
      <button type="submit" class="button button-primary">
        {t('signIn.button')}
      </button>
    </form>
  );
}

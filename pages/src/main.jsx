// Starts the pages: loads the settings, signs in, then shows the page of the address.

import './style/base.css';
import './style/shell.css';
import './style/parts.css';
import './style/onboarding.css';
import { render } from 'preact';
import { App } from './app.jsx';
import { chosenLanguage, translator } from './i18n/index.js';
import { openSession } from './session.js';
import { loadSettings } from './settings.js';

const root = document.getElementById('root');

async function start() {
  const settings = await loadSettings();
  const session = await openSession(settings);
  root.replaceChildren();
  render(<App settings={settings} session={session} />, root);
}

start().catch((error) => {
  console.error(error);
  const t = translator(chosenLanguage());
  const message = document.createElement('p');
  message.setAttribute('role', 'alert');
  message.className = 'notice notice-error start-failed';
  message.textContent = `${t('start.failed')} ${error.message}`;
  root.replaceChildren(message);
});

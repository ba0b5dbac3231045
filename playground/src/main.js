// Starts the page: loads the settings, then GraphiQL. Every failure shows a message instead of a blank page.

import './main.css';
import { loadSettings } from './settings.js';

const root = document.getElementById('root');

async function start() {
  const application = import('./app.jsx');
  application.catch(() => {}); // Awaited below, so that a failure of the settings is reported first.
  const settings = await loadSettings();
  let mount;
  try {
    ({ mount } = await application);
  } catch (error) {
    console.error(error);
    throw new Error('A part of the playground could not be loaded from /playground/.');
  }
  root.replaceChildren();
  mount(root, settings, (error) => {
    console.error(error);
    showMessage('The playground stopped because of a fault in the page; the console has the details.');
  });
}

/** Replaces the page by a message and a button that reloads it. */
function showMessage(text) {
  const message = document.createElement('p');
  message.className = 'message';
  message.setAttribute('role', 'alert');
  const again = document.createElement('button');
  again.type = 'button';
  again.textContent = 'Try again';
  again.addEventListener('click', () => window.location.reload());
  message.append(text, again);
  document.body.replaceChildren(message);
}

start().catch((error) => showMessage(error.message));

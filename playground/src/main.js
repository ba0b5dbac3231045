// Starts the page: settings first, then GraphiQL. Whatever goes wrong ends in a sentence, never
// in a blank page.

import './main.css';
import { loadSettings } from './settings.js';

const root = document.getElementById('root');

async function start() {
  const application = import('./app.jsx');
  application.catch(() => {}); // Awaited below, after the settings: the first sentence is theirs.
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
    say('The playground stopped because of a fault in the page; the console has the details.');
  });
}

/** A sentence in place of the page, and a way to try again. */
function say(sentence) {
  const message = document.createElement('p');
  message.className = 'message';
  message.setAttribute('role', 'alert');
  const again = document.createElement('button');
  again.type = 'button';
  again.textContent = 'Try again';
  again.addEventListener('click', () => window.location.reload());
  message.append(sentence, again);
  document.body.replaceChildren(message);
}

start().catch((error) => say(error.message));

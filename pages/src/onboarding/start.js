// Starting an onboarding: the terms of the form, and its file.

import { START } from '../documents/onboarding.js';
import { navigate } from '../router.js';
import { keep, stored } from '../session.js';
import { sendFile } from './uploads.js';

const TERMS = 'participant-registry:terms';
/** Batches whose terms the browser remembers. */
const REMEMBERED = 20;

/**
 * Starts a batch, sends its file and goes to its page, which shows the upload. Returns the problems with the terms, if there are any.
 * `key` makes a retry of the same click safe.
 */
export async function start(api, terms, file, key) {
  const input = { ...terms, fileName: file.name, planOnly: true, idempotencyKey: key };
  const { batch, errors } = await api.mutate(START, input);
  if (!batch) return errors;
  sendFile(api, batch, file);
  keep(TERMS, JSON.stringify([...remembered(), [batch.id, terms]].slice(-REMEMBERED)));
  navigate(`/onboarding/${batch.id}`);
  return [];
}

/** Returns the terms under which this browser started a batch, or null. They hold no personal data. */
export function termsOf(batch) {
  return remembered().findLast(([id]) => id === batch)?.[1] ?? null;
}

function remembered() {
  try {
    const found = JSON.parse(stored(TERMS));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

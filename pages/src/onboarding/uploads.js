// Uploads by batch. They go on while another page is open, and the page of the batch shows them again.

import { createStore } from '../session.js';

/** Stores of `{ file, sent, problems }`: `sent` is the part that is sent, from 0 to 1, or null if nothing is under way. */
const uploads = new Map();
let running = 0;

/** Returns the store of a batch's upload. */
export function uploadOf(batch) {
  if (!uploads.has(batch)) uploads.set(batch, createStore({ file: null, sent: null, problems: [] }));
  return uploads.get(batch);
}

/** Sends the file of a batch. */
export async function sendFile(api, { id, uploadUrl }, file) {
  const store = uploadOf(id);
  store.set({ file, sent: 0, problems: [] });
  count(1);
  try {
    await api.upload(uploadUrl, file, (sent) => store.set({ sent }));
    uploads.delete(id);
  } catch (error) {
    store.set({ problems: error.problems?.length > 0 ? error.problems : [error] });
  }
  store.set({ sent: null });
  count(-1);
}

/** The browser asks before it leaves while a file is under way: leaving would end the upload. */
function count(change) {
  const before = running;
  running += change;
  if (before === 0) window.addEventListener('beforeunload', ask);
  if (running === 0) window.removeEventListener('beforeunload', ask);
}

const ask = (event) => event.preventDefault();

// The settings of the pages, which the server gives: how to sign in, and in a demonstration a token for each role.

const PATH = '/pages/settings.json';

/**
 * Returns `{ tokens, provider, playground, publicFigures }`. `provider` is null, or the OpenID provider as
 * `{ issuer, clientId, scopes, audience }`. `publicFigures` says whether the server publishes figures without a login.
 */
export async function loadSettings() {
  const response = await fetch(PATH, { cache: 'no-store', headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`${PATH} answered ${response.status}.`);
  const { tokens = [], provider = null, playground = false, publicFigures = false } = await response.json();
  return { tokens, provider, playground, publicFigures };
}

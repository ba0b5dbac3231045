// Sign-in at an OpenID provider: authorization code with PKCE, as a public client. The library checks issuer, state and
// ID token; this file says when to redirect and keeps the access token in memory.

import * as oauth from 'oauth4webapi';
import { createStore } from './session.js';

const CALLBACK = '/signed-in';
const PENDING = 'participant-registry:sign-in';
const SIGNED_IN = 'participant-registry:signed-in';

/** Opens the session. It completes a sign-in that the provider has just answered. */
export async function openProviderSession({ issuer, clientId, scopes, audience }) {
  const store = createStore({ token: null, failed: null });
  const client = { client_id: clientId };
  const redirectUri = new URL(CALLBACK, window.location.origin).href;
  // The server accepts http only for a provider on this machine.
  const options = { [oauth.allowInsecureRequests]: issuer.startsWith('http:') };
  let server;
  let refreshToken;

  async function discover() {
    if (server) return server;
    const address = new URL(issuer);
    const response = await oauth.discoveryRequest(address, { ...options, algorithm: 'oidc' });
    server = await oauth.processDiscoveryResponse(address, response);
    return server;
  }

  async function signIn() {
    store.set({ failed: null });
    try {
      const found = await discover();
      const verifier = oauth.generateRandomCodeVerifier();
      const state = oauth.generateRandomState();
      const nonce = oauth.generateRandomNonce();
      const target = new URL(found.authorization_endpoint);
      const parameters = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: scopes,
        // Some providers choose the `aud` of a token by this parameter. Others ignore it.
        audience,
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
      const back = window.location.pathname === CALLBACK ? '/coverage' : window.location.pathname + window.location.search;
      window.sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, nonce, back }));
      window.location.assign(target);
    } catch (error) {
      fail(error);
    }
  }

  /** Exchanges the code in the address for a token. */
  async function complete() {
    const pending = JSON.parse(window.sessionStorage.getItem(PENDING) ?? 'null');
    window.sessionStorage.removeItem(PENDING);
    const address = new URL(window.location.href);
    window.history.replaceState(null, '', pending?.back ?? '/coverage');
    if (!pending) return;
    const found = await discover();
    const parameters = oauth.validateAuthResponse(found, client, address, pending.state);
    const response = await oauth.authorizationCodeGrantRequest(
      found,
      client,
      oauth.None(),
      parameters,
      redirectUri,
      pending.verifier,
      options,
    );
    accept(
      await oauth.processAuthorizationCodeResponse(found, client, response, {
        expectedNonce: pending.nonce,
        requireIdToken: scopes.split(' ').includes('openid'),
      }),
    );
  }

  function accept(answer) {
    refreshToken = answer.refresh_token ?? refreshToken;
    window.sessionStorage.setItem(SIGNED_IN, 'yes');
    store.set({ token: answer.access_token, failed: null });
  }

  function fail(error) {
    console.error(error);
    window.sessionStorage.removeItem(SIGNED_IN);
    store.set({ token: null, failed: error.error_description ?? error.message });
  }

  const session = {
    kind: 'provider',
    snapshot: store.snapshot,
    subscribe: store.subscribe,
    signIn,
    /** Gets a new token where the provider gave a refresh token. Otherwise the person has to sign in again. */
    async renew() {
      if (refreshToken) {
        try {
          const found = await discover();
          const used = refreshToken;
          refreshToken = undefined;
          const response = await oauth.refreshTokenGrantRequest(found, client, oauth.None(), used, options);
          accept(await oauth.processRefreshTokenResponse(found, client, response));
          return true;
        } catch (error) {
          console.warn('The provider gave no new token.', error);
        }
      }
      store.set({ token: null });
      return false;
    },
    /** Forgets the token, and ends the session at the provider where it offers that. */
    async signOut() {
      window.sessionStorage.removeItem(SIGNED_IN);
      store.set({ token: null });
      const found = await discover().catch(() => null);
      if (!found?.end_session_endpoint) return;
      const target = new URL(found.end_session_endpoint);
      target.searchParams.set('client_id', clientId);
      window.location.assign(target);
    },
  };

  try {
    if (window.location.pathname === CALLBACK) await complete();
    // A reload of a page loses the token, and the provider usually gives another one without asking.
    else if (window.sessionStorage.getItem(SIGNED_IN)) await signIn();
  } catch (error) {
    fail(error);
  }
  return session;
}

// An OpenID provider for tests: it signs everyone in as `head-office`.  node provider.js
//
// It prints its address. It refuses a code whose PKCE verifier is wrong, and a client that sends a secret.

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const codes = new Map()
let issuer

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(claims) {
  const now = Math.floor(Date.now() / 1000)
  const head = encoded({ alg: 'RS256', kid: 'tests', typ: 'JWT' })
  const body = encoded({ iss: issuer, sub: 'head-office', iat: now, exp: now + 600, ...claims })
  return `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), privateKey).toString('base64url')}`
}

const ROUTES = {
  'GET /.well-known/openid-configuration': () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    code_challenge_methods_supported: ['S256'],
  }),
  'GET /keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'tests', use: 'sig', alg: 'RS256' }] }),
  'POST /token': (form) => {
    const asked = codes.get(form.get('code'))
    codes.delete(form.get('code'))
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url')
    if (!asked || asked.get('code_challenge') !== challenge || form.has('client_secret')) return null
    return {
      token_type: 'Bearer',
      expires_in: 600,
      access_token: token({ aud: asked.get('audience') }),
      id_token: token({ aud: asked.get('client_id'), nonce: asked.get('nonce') }),
    }
  },
}

const server = createServer(async (request, response) => {
  const address = new URL(request.url, issuer)
  response.setHeader('access-control-allow-origin', '*')
  if (address.pathname === '/authorize') {
    const code = randomUUID()
    codes.set(code, address.searchParams)
    const target = new URL(address.searchParams.get('redirect_uri'))
    target.searchParams.set('code', code)
    target.searchParams.set('state', address.searchParams.get('state'))
    return response.writeHead(302, { location: target.href }).end()
  }
  let body = ''
  for await (const part of request) body += part
  const answer = ROUTES[`${request.method} ${address.pathname}`]?.(new URLSearchParams(body)) ?? null
  response.writeHead(answer ? 200 : 400, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer ?? { error: 'invalid_grant' }))
})

server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`
  console.log(issuer)
})

// The audits of the specification "GraphQL over HTTP", and the schema that two roads lead to.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql'
import { serverAudits } from 'graphql-http'

import { authorization, url } from './server.js'

/** Fetches with the token of the tests. */
function fetchFn(input, init = {}) {
  return fetch(input, { ...init, headers: { ...init.headers, authorization } })
}

for (const { id, name, fn } of serverAudits({ url, fetchFn })) {
  test(`${id} ${name}`, async () => {
    const { status, reason } = await fn()
    assert.equal(status, 'ok', reason)
  })
}

test('the printed schema is the introspected one', async () => {
  const printed = await (await fetch(new URL('/schema.graphql', url))).text()
  const query = getIntrospectionQuery({
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    // async-graphql 8 introspects a constant sentence as the description of every schema, and prints none.
    schemaDescription: false,
    inputValueDeprecation: true,
    oneOf: true,
  })
  const response = await fetchFn(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  })
  const { data, errors } = await response.json()
  assert.equal(errors, undefined)
  const sorted = (schema) => printSchema(lexicographicSortSchema(schema))
  assert.equal(sorted(buildClientSchema(data)), sorted(buildSchema(printed)))
})

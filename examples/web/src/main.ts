// Shows the modules of this folder at work in a terminal. It exits with 1 when the registry does not behave as they expect.

import assert from 'node:assert/strict'

import { coverage, openSocket } from './coverage.js'
import { byField, enroll } from './enroll.js'
import { graphql } from './generated/index.js'
import { countParticipants, participantPages } from './participants.js'
import { execute, RequestError, type Registry } from './registry.js'

const { API_URL = 'http://127.0.0.1:8080', API_TOKEN } = process.env
if (!API_TOKEN) throw new Error('API_TOKEN is missing: examples/README.md says how to get one')
const registry: Registry = { url: new URL('/graphql', API_URL).href, token: () => API_TOKEN }

const SOUTH_SUMATRA = '16'

const form = {
  nationalId: '1671014208850001',
  fullName: 'Siti Rahayu',
  birthDate: '1985-08-02',
  sex: 'FEMALE',
  provinceCode: SOUTH_SUMATRA,
  segment: 'SELF_EMPLOYED',
  programmes: ['WORK_ACCIDENT', 'DEATH'],
  channelCode: 'BR-PLG',
  monthlyWage: 2_000_000,
  startsOn: '2014-10-02',
  firstContributionPaid: true,
} satisfies Parameters<typeof enroll>[1]

await showPages()
await showRefusedForm()
await showRefusedRequest()
await showFigures()

async function showPages() {
  const filter = { provinceCode: SOUTH_SUMATRA, status: ['ACTIVE' as const] }
  const total = await countParticipants(registry, filter)
  const seen = new Set<string>()
  let pages = 0
  for await (const page of participantPages(registry, filter, 10)) {
    for (const { cardNumber } of page) seen.add(cardNumber)
    pages += 1
    if (pages === 3) break
  }
  console.log(`pages: ${seen.size} of ${total} active people of South Sumatra on ${pages} pages`)
  assert.equal(seen.size, Math.min(total, 30), 'a person is on two pages, or on none')
}

async function showRefusedForm() {
  const outcome = await enroll(registry, { ...form, nationalId: '16710142', fullName: ' ' }, crypto.randomUUID())
  assert(!outcome.enrolled)
  const fields = byField(outcome.errors)
  for (const [field, errors] of fields) {
    for (const { code, message } of errors) console.log(`form: ${field}: ${code}: ${message}`)
  }
  assert.deepEqual([...fields.keys()].sort(), ['fullName', 'nationalId'])
}

async function showRefusedRequest() {
  const Trail = graphql(`
    query Trail {
      auditEntries(first: 1) {
        totalCount
      }
    }
  `)
  const error = await execute(registry, Trail, {}).catch((error: unknown) => error)
  assert(error instanceof RequestError)
  console.log(`request: ${error.code}: ${error.message} (request ${error.requestId})`)
  assert.equal(error.code, 'FORBIDDEN')
}

async function showFigures() {
  const socket = openSocket(registry)
  let connections = 0
  socket.on('connected', () => (connections += 1))
  const figures = coverage(socket)
  const next = async () => {
    const { value, done } = await figures.next()
    assert(!done && value)
    console.log(`coverage: ${value.counts.active} active of ${value.counts.total} (connection ${connections})`)
    return value.counts
  }
  const before = await next()

  // As if the network had gone: the client connects again and the figures go on.
  socket.terminate()
  assert.deepEqual(await next(), before)
  assert.equal(connections, 2)

  const key = crypto.randomUUID()
  const outcome = await enroll(registry, form, key)
  assert(outcome.enrolled, 'the person is enrolled already: start with an empty data folder')
  // The answer was lost, say. The same key gives the same answer, and nobody is enrolled twice.
  assert.deepEqual(await enroll(registry, form, key), outcome)
  console.log(`enrolled: ${outcome.participant.cardNumber}`)
  assert.deepEqual(await next(), { total: before.total + 1, active: before.active + 1 })
  await figures.return(undefined)
  await socket.dispose()
}

// What can be checked without a browser: documents fit the schema, and both languages have the same texts.

import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { test } from 'node:test'

import { buildSchema, parse, validate } from 'graphql'

import { repository } from './browser.js'

test('every document of the pages fits schema.graphql', async () => {
  const schema = buildSchema(await readFile(repository('schema.graphql'), 'utf8'))
  const folder = repository('pages/src/documents/')
  let documents = 0
  for (const file of await readdir(folder)) {
    for (const [name, text] of Object.entries(await import(folder + file))) {
      assert.deepEqual(validate(schema, parse(text)).map(String), [], name)
      documents += 1
    }
  }
  assert(documents > 10)
})

test('both languages have the same texts with the same places for values', async () => {
  const { english } = await import(repository('pages/src/i18n/en.js'))
  const { indonesian } = await import(repository('pages/src/i18n/id.js'))
  const places = (texts) => Object.entries(texts).map(([key, text]) => [key, [...new Set(text.match(/\{\w+\}/g))].sort()])
  assert.deepEqual(places(indonesian), places(english))
})

test('the columns of every download have texts, and Indonesian spreadsheets get their separator', async () => {
  const { indonesian } = await import(repository('pages/src/i18n/id.js'))
  const { readCsv, writeCsv } = await import(repository('pages/src/ui/csv.js'))
  const columns = []
  for (const file of await readdir(repository('pages/src/'), { recursive: true })) {
    if (!file.endsWith('.jsx')) continue
    const source = await readFile(repository(`pages/src/${file}`), 'utf8')
    for (const [, list] of source.matchAll(/columns: \[([^\]]*)\]/g)) columns.push(...list.match(/\w+/g))
  }
  assert(columns.length > 40)
  assert.deepEqual(columns.filter((column) => !(`column.${column}` in indonesian)), [])
  const rows = [['Kode', 'Provinsi'], ['16', 'Sumatera; "Selatan", 1'], ['', '=1']]
  const text = writeCsv(rows, ';')
  assert(text.startsWith('\u{feff}Kode;Provinsi\r\n'))
  assert.deepEqual(readCsv(text), [rows[0], rows[1], ['', "'=1"]])
})

test('the names of the schema have texts', async () => {
  const schema = buildSchema(await readFile(repository('schema.graphql'), 'utf8'))
  const { english } = await import(repository('pages/src/i18n/en.js'))
  const enumerations = {
    agreement: 'AgreementStatus',
    category: 'CivilServantCategory',
    kind: 'ChannelKind',
    programme: 'Programme',
    role: 'Role',
    scope: 'AgreementScope',
    segment: 'Segment',
    state: 'OnboardingState',
  }
  const missing = Object.entries(enumerations).flatMap(([kind, type]) =>
    schema.getType(type).getValues().map(({ name }) => `${kind}.${name}`).filter((key) => !(key in english)),
  )
  assert.deepEqual(missing, [])
})

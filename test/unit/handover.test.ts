import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import { adopt } from '../../src/entries/adopt.ts'
import { NamesFile, readNames } from '../../src/handover/names.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { scopesOf } from '../../src/scope.ts'
import type { TableRecord } from '../../src/table/record.ts'
import { entriesIn, makeRows, writeEntry } from '../../src/table/rows.ts'
import { ENGINES, entriesOf } from '../support/engines.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-handover-'))
  path = join(folder, 'names')
})
afterEach(() => rmSync(folder, { recursive: true }))

test('names are told by their numbers, whenever there were new ones', () => {
  const identities = new Identities()
  const file = new NamesFile(path)
  identities.scope('service web')
  identities.container('a')
  file.note(identities)
  file.note(identities)
  identities.container('b')
  identities.scope('group x')
  file.note(identities)
  assert.deepEqual(readNames(path), {
    scopes: new Map([
      [1, 'service web'],
      [2, 'group x'],
    ]),
    containers: new Map([
      [1, 'a'],
      [2, 'b'],
    ]),
  })
  assert.equal(readFileSync(path, 'utf8').trim().split('\n').length, 2)
})

test('a line that was not finished counts as not written, and a file that is not there as none', () => {
  assert.equal(readNames(path), undefined)
  const identities = new Identities()
  const file = new NamesFile(path)
  identities.container('a')
  file.note(identities)
  for (const rest of ['{"scopes":[],"conta', '\n', '{"scopes":[],"containers":["b"]}\n']) {
    appendFileSync(path, rest)
    assert.deepEqual(readNames(path)?.containers, new Map([[1, 'a']]), rest)
  }
})

const CONFIG = `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    containers: [{name: a, address: 10.77.0.11}, {name: b, address: 10.77.0.12}]
`
const NOW = 1_000
const CLOCK = { nowSeconds: () => NOW, zeroMs: () => 0 }
const client = (n: number) => `c63364${n.toString(16).padStart(2, '0')}` as Address

/** As a daemon leaves it in whose numbers b came before a, beside a container that is gone. */
function leftBy(entries: readonly (readonly [client: number, container: string])[]): TableRecord {
  const containers = new Map([
    [7, 'b'],
    [8, 'a'],
    [9, 'gone'],
  ])
  const rows = makeRows(entries.length)
  for (const [row, [n, name]] of entries.entries())
    writeEntry(rows, row, {
      scope: 4,
      source: client(n),
      container: [...containers].find(([, title]) => title === name)![0],
      origin: 'pinned',
      sinceSeconds: NOW - 5,
      seenSeconds: NOW - 5,
      packets: 0,
      bytes: 0,
    })
  return { zeroMs: 0, scopes: new Map([[4, 'service web']]), containers, rows }
}

describe('taking over', () => {
  for (const [name, create] of ENGINES)
    test(`${name}: the table learns what it did not know, and keeps what it did`, () => {
      const config = parseConfig(CONFIG, 'CONFIG')
      const identities = new Identities()
      const engine = create({ capacity: 100, probation: 16, flows: 16, fragments: 16 })
      engine.publish(compileSnapshot(config, identities, Buffer.alloc(16, 7)))
      const known = scopesOf(config, identities)
      const { scope, containers } = known.get('service web')!
      const [a, b] = [containers.get('a')!, containers.get('b')!]
      const entry = { scope, origin: 'assigned', seenSeconds: NOW - 9, packets: 3, bytes: 99 } as const
      const rows = makeRows(2)
      writeEntry(rows, 0, { ...entry, source: client(1), container: a, sinceSeconds: NOW - 90 })
      writeEntry(rows, 1, { ...entry, source: client(2), container: a, sinceSeconds: NOW - 90 })
      engine.put(rows, true)

      const left = leftBy([
        [1, 'a'],
        [2, 'b'],
        [3, 'gone'],
        [4, 'a'],
      ])
      const { rows: taken, ...counts } = adopt(left, engine, known, CLOCK)
      assert.deepEqual(counts, { put: 2, dropped: 1 })
      const goes = (entries: Iterable<{ readonly source: Address; readonly container: number }>) =>
        [...entries].map(({ source, container }) => [source, container]).sort()
      const wanted = [
        [client(1), a],
        [client(2), b],
        [client(4), a],
      ]
      assert.deepEqual(goes(entriesIn(taken)), wanted)
      assert.deepEqual(goes(entriesOf(engine)), wanted)
      const kept = [...entriesOf(engine)].find(({ source }) => source === client(1))!
      assert.deepEqual([kept.packets, kept.sinceSeconds, kept.origin], [3, NOW - 90, 'assigned'])
    })
})

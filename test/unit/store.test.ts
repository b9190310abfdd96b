import assert from 'node:assert/strict'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync as readFile,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { pino } from 'pino'
import type { Address } from '../../src/address.ts'
import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { scopesOf } from '../../src/scope.ts'
import { StoreFiles } from '../../src/store/files.ts'
import { SEEN_LATE_SECONDS } from '../../src/store/restorer.ts'
import { Store } from '../../src/store/store.ts'
import { encodeRecord } from '../../src/table/record.ts'
import { makeRows, type Rows, writeEntry } from '../../src/table/rows.ts'
import { ENGINES, entriesOf } from '../support/engines.ts'
import { untilTrue } from '../support/lab/until.ts'

const WEB = '  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [A, B]}'
const SHOP = '  - {name: shop, addresses: [203.0.113.11], ports: [80/tcp], containers: [B]}'
const A = '{name: a, address: 10.77.0.11}'
const B = '{name: b, address: 10.77.0.12}'
const CLIENT = 'c6336407' as Address
const CLIENT6 = '20010db8000000000000000000000007' as Address
const SINCE_MS = Date.UTC(2026, 0, 1)

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-store-'))
  path = join(folder, 'table')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A daemon's part: a table, numbers for names, a clock that began when the process did, and the store. */
class Daemon {
  readonly table: Engine
  readonly identities = new Identities()
  readonly store: Store
  readonly logged: string[] = []
  readonly #zeroMs: number
  readonly #services: string
  nowMs = SINCE_MS

  constructor(
    services: string,
    { create = createNativeEngine, startedMs = SINCE_MS - 50_000, capacity = 1_000 } = {},
  ) {
    this.#services = services.replaceAll('A', A).replaceAll('B', B)
    this.#zeroMs = startedMs
    this.nowMs = startedMs + 50_000
    this.table = create({ capacity, probation: 64, flows: 64, fragments: 64 })
    this.table.publish(compileSnapshot(this.#config, this.identities, new Uint8Array(16)))
    this.store = new Store({
      path,
      table: this.table,
      names: this.identities,
      clock: { nowSeconds: () => this.#seconds(this.nowMs), zeroMs: () => this.#zeroMs },
      log: pino({}, { write: (line: string) => this.logged.push(line) }),
    })
  }

  get #config() {
    return parseConfig(`version: 1\ninterfaces: {bridges: [br0]}\nservices:\n${this.#services}`, 'c.yaml')
  }

  #seconds = (ms: number): number => (ms - this.#zeroMs) / 1000

  async start(): Promise<this> {
    await this.store.restore(scopesOf(this.#config, this.identities))
    this.store.start()
    return this
  }

  put(scope: string, source: Address, container: string, seenMs = this.nowMs): void {
    this.table.put(this.row(scope, source, container, seenMs), true)
  }

  row(scope: string, source: Address, container: string, seenMs = this.nowMs): Rows {
    const rows = makeRows(1)
    writeEntry(rows, 0, {
      scope: this.identities.scope(scope),
      source,
      container: this.identities.container(container),
      origin: 'assigned',
      sinceSeconds: this.#seconds(seenMs - 3_600_000),
      seenSeconds: this.#seconds(seenMs),
      packets: 7,
      bytes: 700,
    })
    return rows
  }

  /** `SCOPE SOURCE CONTAINER`, sorted. */
  entries(): readonly string[] {
    return [...entriesOf(this.table)]
      .map(({ scope, source, container }) =>
        [this.identities.scopeName(scope), source, this.identities.containerName(container)].join(' '),
      )
      .sort()
  }

  /** Ends as a crash does, as soon as what happened until now is on the disk. */
  async end(): Promise<void> {
    await this.store.close()
  }
}

const isWhole = (): boolean => existsSync(path) && readdirSync(path).some((name) => /^\d+\.mdb$/.test(name))

async function storeOnce(...put: readonly (readonly [scope: string, source: Address, container: string])[]) {
  const daemon = await new Daemon(`${WEB}\n${SHOP}`).start()
  for (const [scope, source, container] of put) daemon.put(scope, source, container)
  await untilTrue(isWhole, 'a whole table on the disk')
  await daemon.end()
}

for (const [name, create] of ENGINES)
  describe(`the store of a ${name} table`, () => {
    test('gives back what there was, whatever number a name has now', async () => {
      await storeOnce(
        ['service web', CLIENT, 'a'],
        ['service web', CLIENT6, 'b'],
        ['service shop', CLIENT, 'b'],
      )
      const next = await new Daemon(`${SHOP}\n${WEB}`, { create }).start()
      assert.deepEqual(next.entries(), [
        `service shop ${CLIENT} b`,
        `service web ${CLIENT6} b`,
        `service web ${CLIENT} a`,
      ])
      assert.ok(
        [...entriesOf(next.table)].every(
          ({ origin, packets, bytes }) => `${origin} ${packets} ${bytes}` === 'restored 7 700',
        ),
      )
      assert.deepEqual(next.store.status(), { path, state: 'current', restored: 3, dropped: 0, noRoom: 0 })
      await next.end()
    })

    test('follows what becomes of entries afterwards', async () => {
      const first = await new Daemon(WEB, { create }).start()
      await untilTrue(isWhole, 'an empty table on the disk')
      first.put('service web', CLIENT, 'a')
      first.put('service web', CLIENT6, 'a')
      first.put('service web', CLIENT, 'b')
      first.table.forget(first.row('service web', CLIENT6, 'a'))
      await first.end()
      const next = await new Daemon(WEB, { create }).start()
      assert.deepEqual(next.entries(), [`service web ${CLIENT} b`])
      await next.end()
    })

    test('drops what names a container or a service that is gone, and counts it', async () => {
      await storeOnce(
        ['service web', CLIENT, 'a'],
        ['service web', CLIENT6, 'b'],
        ['service shop', CLIENT, 'b'],
      )
      const next = await new Daemon(WEB.replace('A, B', 'A'), { create }).start()
      assert.deepEqual(next.entries(), [`service web ${CLIENT} a`])
      assert.equal(next.store.status().dropped, 2)
      await next.end()
    })

    test('has times by the wall clock, though a reboot sets the other one to zero', async () => {
      await storeOnce(['service web', CLIENT, 'a'])
      const rebootedMs = SINCE_MS + 3_000_000
      const next = await new Daemon(WEB, { create, startedMs: rebootedMs }).start()
      const [entry] = [...entriesOf(next.table)]
      assert.equal(entry!.sinceSeconds, -6_600)
      assert.equal(entry!.seenSeconds, -3_000 + SEEN_LATE_SECONDS)
      await next.end()
    })
  })

test('only its owner may look at it', async () => {
  await storeOnce(['service web', CLIENT, 'a'])
  const modeOf = (name: string) => statSync(join(path, name)).mode & 0o777
  assert.equal(modeOf('.'), 0o700)
  for (const name of readdirSync(path)) assert.equal(modeOf(name), 0o600, name)
})

test('what finds no room is counted', async () => {
  await storeOnce(['service web', CLIENT, 'a'], ['service web', CLIENT6, 'b'])
  const next = await new Daemon(WEB, { capacity: 1 }).start()
  assert.ok(next.store.status().noRoom >= 1)
  assert.equal(next.entries().length, 1)
  await next.end()
})

test('a change that overtook the ring is on the disk all the same: the table is written anew', async () => {
  const first = await new Daemon(WEB).start()
  await untilTrue(isWhole, 'an empty table on the disk')
  const before = readdirSync(path).filter((name) => name.endsWith('.mdb'))
  for (let n = 0; n < 3_000; n++) {
    first.put('service web', CLIENT6, 'a')
    first.table.forget(first.row('service web', CLIENT6, 'a'))
  }
  first.put('service web', CLIENT, 'a')
  await untilTrue(() => isWhole() && !readdirSync(path).includes(before[0]!), 'a new file')
  await first.end()
  const next = await new Daemon(WEB).start()
  assert.deepEqual(next.entries(), [`service web ${CLIENT} a`])
  await next.end()
})

test('a half-written file adds to the whole one before it', async () => {
  await storeOnce(['service web', CLIENT, 'a'], ['service web', CLIENT6, 'b'])
  const identities = new Identities()
  const rows = makeRows(1)
  writeEntry(rows, 0, {
    scope: identities.scope('service web'),
    source: CLIENT,
    container: identities.container('b'),
    origin: 'assigned',
    sinceSeconds: 0,
    seenSeconds: 0,
    packets: 0,
    bytes: 0,
  })
  const files = new StoreFiles(path)
  files.begin(false)
  files.append(encodeRecord(rows, identities, SINCE_MS))
  assert.ok(readdirSync(path).some((name) => name.endsWith('.part.mdb')))
  const next = await new Daemon(WEB).start()
  assert.deepEqual(next.entries(), [`service web ${CLIENT6} b`, `service web ${CLIENT} b`])
  await next.end()
})

const fileOf = (): string => join(path, readdirSync(path).find((name) => name.endsWith('.mdb'))!)

const DAMAGES: readonly (readonly [what: string, damage: () => void, error: RegExp])[] = [
  ['a file cut off', () => truncateSync(fileOf(), 8192), /SIGBUS|damaged|MDB_/],
  [
    'a file that is something else',
    () => writeFileSync(fileOf(), 'nothing of ours '.repeat(4096)),
    /SIGSEGV|MDB_INVALID/,
  ],
  [
    'a record with a bit wrong',
    () => {
      const text = readFile(fileOf(), 'latin1').replaceAll('"service web"', '"Service web"')
      writeFileSync(fileOf(), text, 'latin1')
    },
    /record 1: damaged \(its checksum is another\)/,
  ],
  [
    'a newer version',
    () => {
      const files = new StoreFiles(path)
      const record = encodeRecord(makeRows(0), new Identities(), 0)
      record[4] = 9
      files.begin(false)
      files.append(record)
      files.complete()
    },
    /record 1: version 9, written by a newer onehop; expected 1/,
  ],
]
for (const [what, damage, error] of DAMAGES)
  test(`${what} is set aside with a message, and the store goes on without`, async () => {
    await storeOnce(['service web', CLIENT, 'a'])
    damage()
    const next = await new Daemon(WEB).start()
    const { setAside, state } = next.store.status()
    assert.equal(state, 'current')
    assert.match(setAside!, /^.*table\.unreadable-\d{8}T\d{6}$/)
    assert.ok(existsSync(setAside!))
    assert.match(next.logged.join(''), error)
    assert.match(next.logged.join(''), /it was set aside and a new one is begun; remove it when nobody/)
    next.put('service web', CLIENT6, 'b')
    await untilTrue(isWhole, 'a new table on the disk')
    await next.end()
    const last = await new Daemon(WEB).start()
    assert.ok(last.entries().includes(`service web ${CLIENT6} b`))
    await last.end()
  })

test('what stands in its place is named, the daemon goes on, and the store begins when the place is free', async () => {
  writeFileSync(path, 'a file where a folder should be')
  const daemon = await new Daemon(WEB).start()
  daemon.put('service web', CLIENT, 'a')
  await untilTrue(() => daemon.store.status().state === 'failing', 'a store that says so')
  assert.match(daemon.store.status().error!, /table: EEXIST/)
  rmSync(path)
  await untilTrue(() => daemon.store.status().state === 'current' && isWhole(), 'a whole table on the disk')
  await daemon.end()
  const next = await new Daemon(WEB).start()
  assert.deepEqual(next.entries(), [`service web ${CLIENT} a`])
  await next.end()
})

test('a folder that is taken away is made again', async () => {
  const daemon = await new Daemon(WEB).start()
  await untilTrue(isWhole, 'an empty table on the disk')
  rmSync(path, { recursive: true })
  for (let n = 0; n < 3_000; n++) daemon.put('service web', CLIENT, n % 2 === 0 ? 'b' : 'a')
  await untilTrue(isWhole, 'a whole table on the disk')
  await daemon.end()
})

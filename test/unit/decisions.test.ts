import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import { readMoment } from '../../src/cli/explain/moment.ts'
import { formatPast } from '../../src/cli/explain/past-text.ts'
import { parseConfig } from '../../src/config/load.ts'
import { chooseThen } from '../../src/daemon/past-choice.ts'
import { DecisionLog } from '../../src/decisions/decision-log.ts'
import { readHistory } from '../../src/decisions/files.ts'
import { explainPast, type TableNow } from '../../src/decisions/past.ts'
import type { LoggedState } from '../../src/decisions/record.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { makeRows, type Rows, writeEntry, writeGone } from '../../src/table/rows.ts'

const START = Date.UTC(2026, 10, 25, 14)
const CLIENT = 'c6336407' as Address
const READY: LoggedState = { state: 'ready' }

let folder = ''
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'onehop-decisions-')), 'log')
})
const opened: Writer[] = []
afterEach(async () => {
  for (const { log } of opened.splice(0)) await log.close()
  rmSync(join(folder, '..'), { recursive: true })
})

/** A daemon's part: names, containers' states, a clock, and the log. */
class Writer {
  readonly identities = new Identities()
  readonly states: Record<string, LoggedState> = { a: READY, b: READY }
  readonly log: DecisionLog
  ms = START

  constructor(mostBytes = 1e9) {
    opened.push(this)
    this.log = new DecisionLog({
      folder,
      mostBytes,
      names: this.identities,
      clock: { zeroMs: () => START },
      world: () => ({
        scopes: [{ name: 'service web', services: ['web'], prefix4: 32, prefix6: 128 }],
        states: this.states,
      }),
      nowMs: () => this.ms,
    })
    this.log.note({ kind: 'start', at: this.ms })
  }

  /** After a second. */
  async goes(container: string | undefined, former?: string, source = CLIENT): Promise<void> {
    this.ms += 1_000
    this.log.onChanges(this.row(source, container, former))
    await this.log.flush()
  }

  row(source: Address, container: string | undefined, former?: string): Rows {
    const rows = makeRows(1)
    const key = { scope: this.identities.scope('service web'), source }
    const was = former === undefined ? 0 : this.identities.container(former)
    if (container === undefined) writeGone(rows, 0, key, was, true)
    else {
      const id = this.identities.container(container)
      const rest = { sinceSeconds: 0, seenSeconds: 0, packets: 1, bytes: 60, origin: 'assigned' as const }
      writeEntry(rows, 0, { ...key, container: id, ...rest }, was)
    }
    return rows
  }
}

const ask = async (seconds: number, tableNow?: TableNow) => {
  const question = { source: CLIENT, atMs: START + seconds * 1_000 }
  return explainPast(question, await readHistory(folder, question), tableNow)
}
const scopeAt = async (seconds: number, tableNow?: TableNow) => (await ask(seconds, tableNow)).scopes[0]!
const files = (): readonly string[] =>
  readdirSync(folder).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
const fileAt = (n: number): string => join(folder, files().at(n)!)

test('whom a service would have chosen follows how containers stood then, and says where it cannot', () => {
  const web = (settings: string) =>
    chooseThen(
      parseConfig(
        `version: 1\ninterfaces: {bridges: [br0]}\nservices:\n  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}]${settings}}\n`,
        'c.yaml',
      ),
      new Uint8Array(16),
      () => 1,
    )
  const all = (a: LoggedState | 'gone', b: LoggedState | 'gone') => (name: string) => (name === 'a' ? a : b)
  const down: LoggedState = { state: 'down' }
  const would = (settings: string, ...states: Parameters<typeof all>) =>
    web(settings)('web', CLIENT, all(...states), START)
  assert.equal(would('', down, READY).container, 'b')
  assert.equal(would('', READY, 'gone').container, 'a')
  assert.deepEqual(would('', down, down), { service: 'web', reason: 'no-container' })
  assert.equal(would(', pins: [{source: 198.51.100.0/24, container: b}]', READY, READY).reason, 'pinned')
  assert.equal(would(', sources: {allow: []}', READY, READY).reason, 'denied')
  assert.equal(would(', algorithm: least-sources', READY, READY).unknown, 'least-sources')
  const starts: LoggedState = { state: 'ready', since: START - 9_000 }
  assert.equal(would(', slowStart: 10s', READY, starts).unknown, 'slow-start')
  assert.equal(would(', slowStart: 8s', down, starts).container, 'b')
  assert.equal(
    web('')('web', '20010db8'.padEnd(32, '0') as Address, all(READY, READY), START).unknown,
    'family',
  )
  assert.equal(web('')('shop', CLIENT, all(READY, READY), START).unknown, 'service')
})

describe('the log of decisions', () => {
  test('tells where a source was, from when until when, why it went, and how containers stood', async () => {
    const writer = new Writer()
    await writer.goes('a')
    writer.states.a = { state: 'down', by: 'health', why: 'ECONNREFUSED', since: writer.ms }
    writer.log.turned('a', READY, writer.states.a)
    await writer.goes('b', 'a')
    await writer.goes(undefined, 'b')
    await writer.log.close()
    const first = await scopeAt(1.5)
    assert.deepEqual(
      [first.known, first.container, first.origin, first.since, first.until, first.end, first.next],
      ['log', 'a', 'assigned', '2026-11-25T14:00:01.000Z', '2026-11-25T14:00:02.000Z', 'moved', 'b'],
    )
    assert.equal(first.stood!.state, 'down', 'since a second after 14:00')
    const second = await scopeAt(2)
    assert.deepEqual([second.container, second.from!.container, second.from!.why], ['b', 'a', 'ECONNREFUSED'])
    const last = await scopeAt(3)
    assert.deepEqual([last.known, last.end, last.container], ['no', 'idle', undefined])
    assert.deepEqual([(await scopeAt(0.5)).known, (await scopeAt(-1)).known], ['no', 'unlogged'])
    assert.match(
      formatPast(await ask(2)),
      /^198\.51\.100\.7 at 2026-11-25T14:00:02\.000Z:\n {2}In web: it went to b, since .*, for the algorithm had chosen it\.\n {4}It had been at a, down since .* \(health: ECONNREFUSED\)\.\n {4}Until 2026-11-25T14:00:03\.000Z, when its entry had been idle too long\.\n {4}Then stood b, ready\.\n$/,
    )
    assert.equal((await ask(4)).daemon, 'not at work')
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    assert.equal(statSync(fileAt(0)).mode & 0o777, 0o600)
  })

  test('what has not changed since before it begins, the table tells; where it went later tells where it was', async () => {
    const writer = new Writer()
    await writer.goes('b', undefined, 'c6336408' as Address)
    const now: TableNow = () => ({ container: 'a', origin: 'pinned', sinceMs: START - 9_000 })
    const found = await scopeAt(1, now)
    assert.deepEqual(
      [found.known, found.container, found.origin, found.since],
      ['table', 'a', 'pinned', undefined],
    )
    assert.equal((await scopeAt(1, () => undefined)).known, 'no')
    assert.equal((await scopeAt(1)).known, 'unlogged')
    await writer.goes('b', 'a')
    const before = await scopeAt(1)
    assert.deepEqual(
      [before.known, before.container, before.since, before.next],
      ['log', 'a', undefined, 'b'],
    )
  })

  test('a crash costs no more than what it cut off, and the next daemon goes on behind it', async () => {
    const writer = new Writer()
    await writer.goes('a')
    const whole = statSync(fileAt(0)).size
    await writer.goes('b', 'a')
    truncateSync(fileAt(0), whole + 30)
    const next = new Writer()
    next.ms = START + 5_000
    await next.goes('b', 'a')
    assert.equal(files().length, 2)
    const told = await ask(5)
    assert.deepEqual(
      [told.scopes[0]!.container, told.scopes[0]!.until, told.log.damaged],
      ['a', '2026-11-25T14:00:06.000Z', 0],
    )
    assert.equal((await scopeAt(6)).container, 'b')
  })

  test('damage is told, makes doubtful what lies before it, and spares the rest', async () => {
    const writer = new Writer()
    await writer.goes('a')
    const whole = statSync(fileAt(0)).size
    await writer.goes('b', 'a', 'c6336408' as Address)
    await writer.goes('b', 'a', 'c6336409' as Address)
    const bytes = readFileSync(fileAt(0))
    bytes[whole + 40]! ^= 1
    writeFileSync(fileAt(0), bytes)
    const told = await ask(4)
    assert.deepEqual(
      [told.log.damaged, told.scopes[0]!.container, told.scopes[0]!.isDoubtful],
      [1, 'a', true],
    )
    const confirmed = await ask(4, () => ({ container: 'a', origin: 'assigned', sinceMs: START }))
    assert.equal(confirmed.scopes[0]!.isDoubtful, false)
    assert.match(formatPast(told), /That is not certain: changes were lost in between\.\n.*1 damaged parts/)
    writeFileSync(fileAt(0), 'nothing of ours '.repeat(999))
    assert.deepEqual([(await ask(4)).log.damaged, (await ask(4)).scopes], [1, []])
    appendFileSync(fileAt(0), bytes.subarray(0, whole))
    assert.equal((await scopeAt(4)).container, 'a', 'what is whole behind it is found')
  })

  test('changes that were lost are counted and told', async () => {
    const writer = new Writer()
    await writer.goes('a')
    writer.log.onLost(70_000)
    await writer.goes('b', 'a', 'c6336408' as Address)
    const told = await ask(2)
    assert.deepEqual([told.log.lost, told.scopes[0]!.isDoubtful], [70_000, true])
    assert.equal(writer.log.status().lost, 70_000)
    await writer.goes('b', 'a')
    assert.equal((await scopeAt(2)).isDoubtful, false, 'a later change confirms it')
  })

  test('keeps within its bound: the oldest goes, and what is left can be read', async () => {
    const mostBytes = 30_000
    const writer = new Writer(mostBytes)
    await writer.goes('a')
    for (let n = 0; n < 200; n++)
      await writer.goes('b', 'a', `0a${n.toString(16).padStart(6, '0')}` as Address)
    const sizes = files().map((name) => statSync(join(folder, name)).size)
    assert.ok(sizes.reduce((sum, bytes) => sum + Math.max(bytes, 4096), 0) <= mostBytes, `${sizes}`)
    assert.notEqual(files()[0], '1.log')
    assert.ok(sizes.length > 4)
    const told = await ask(1)
    assert.deepEqual([told.daemon, told.scopes[0]!.known], ['unknown', 'unlogged'])
    assert.match(formatPast(told), /the log says nothing about it, and begins at 2026-11-25T14:/)
    const last = await ask(201)
    assert.equal(last.scopes[0]!.known, 'unlogged')
    await writer.goes('b', 'a')
    assert.equal((await scopeAt(201)).container, 'a')
  })

  test('a place that cannot be written is told, nothing is thrown, and what waits is written when it can be', async () => {
    writeFileSync(folder, 'a file where a folder should be')
    const writer = new Writer()
    await writer.goes('a')
    assert.deepEqual(
      [writer.log.status().state, /EEXIST|ENOTDIR/.test(writer.log.status().error!)],
      ['failing', true],
    )
    await assert.rejects(ask(1), { code: 'E_SYSTEM', message: /ENOTDIR; expected the log of decisions/ })
    rmSync(folder)
    await writer.log.flush()
    assert.equal(writer.log.status().state, 'current')
    assert.equal((await scopeAt(1)).container, 'a')
  })
})

test('a moment is read as people write it', () => {
  const now = new Date(2026, 10, 25, 15, 30).getTime()
  assert.equal(readMoment('14:03', now), new Date(2026, 10, 25, 14, 3).getTime())
  assert.equal(readMoment('9:03:05', now), new Date(2026, 10, 25, 9, 3, 5).getTime())
  assert.equal(readMoment('-15m', now), now - 900_000)
  assert.equal(readMoment('2026-11-25T14:03:05Z', Date.UTC(2026, 11)), Date.UTC(2026, 10, 25, 14, 3, 5))
  assert.equal(readMoment('2026-11-25T14:03:05+02:00', Date.UTC(2026, 11)), Date.UTC(2026, 10, 25, 12, 3, 5))
  for (const wrong of ['', '25:00', '14:61', 'yesterday', '-', '-x', '2026-13-25T14:03:05Z', '14:03Z'])
    assert.throws(() => readMoment(wrong, now), {
      code: 'E_USAGE',
      message: /expected 14:03, 14:03:05, -15m or/,
    })
  assert.throws(() => readMoment('15:31', now), { message: /is 2026.*; expected a moment that is past/ })
})

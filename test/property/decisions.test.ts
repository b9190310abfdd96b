import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, maskAddress } from '../../src/address.ts'
import { DecisionLog } from '../../src/decisions/decision-log.ts'
import { readLog } from '../../src/decisions/files.ts'
import { History } from '../../src/decisions/history.ts'
import { explainPast } from '../../src/decisions/past.ts'
import type { Logged } from '../../src/decisions/record.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { makeRows, type Rows, writeEntry, writeGone } from '../../src/table/rows.ts'
import { DistributionTable } from '../../src/table/table.ts'
import { Random } from '../support/random.ts'

const SEED = Random.fromEnvironment().seed
console.error(`decisions: ONEHOP_SEED=${SEED}`)

const START_MS = Date.UTC(2026, 10, 25, 14)
const CONTAINERS = ['a', 'b', 'c'] as const
const PREFIX4 = 30
const SOURCES = Array.from(
  { length: 12 },
  (_, n) => `c63364${(n + 1).toString(16).padStart(2, '0')}` as Address,
)

type Act =
  | { readonly kind: 'put'; readonly source: number; readonly container: number }
  | { readonly kind: 'forget'; readonly source: number }
  | { readonly kind: 'turn'; readonly container: number; readonly isUp: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'set back'; readonly ms: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'flush' }

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put'), source: fc.nat(11), container: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('forget'), source: fc.nat(11) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('turn'), container: fc.nat(2), isUp: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 1, max: 5_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('set back'), ms: fc.integer({ min: 1, max: 9_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush') }) },
) as fc.Arbitrary<Act>

/** What was so at a time, written down in the plainest way there is: all of it, each time. */
interface Page {
  readonly ms: number
  readonly entries: ReadonlyMap<Address, string>
  readonly down: ReadonlySet<string>
}

/** Plays a history to a table and a log, and to the journal. */
async function play(folder: string, acts: readonly Act[]): Promise<readonly Page[]> {
  let ms = START_MS
  const journal: Page[] = []
  const entries = new Map<Address, string>()
  const down = new Set<string>()
  const identities = new Identities()
  const scope = identities.scope('service web')
  const ids = CONTAINERS.map((name) => identities.container(name))
  const table = new DistributionTable(64, 64, new Uint8Array(16))
  let position = 0
  const world = () => ({
    scopes: [{ name: 'service web', services: ['web'], prefix4: PREFIX4, prefix6: 64 }],
    states: Object.fromEntries(
      CONTAINERS.map((name) => [name, { state: down.has(name) ? ('down' as const) : ('ready' as const) }]),
    ),
  })
  const clock = { zeroMs: () => START_MS }
  const open = () => {
    const log = new DecisionLog({ folder, mostBytes: 1e9, names: identities, clock, world, nowMs: () => ms })
    log.note({ kind: 'start', at: ms })
    return log
  }
  let log = open()
  const row = (source: Address, container?: number): Rows => {
    const rows = makeRows(1)
    const key = { scope, source }
    if (container === undefined) writeGone(rows, 0, key)
    else {
      const times = { sinceSeconds: 0, seenSeconds: 0, packets: 0, bytes: 0 }
      writeEntry(rows, 0, { ...key, container: ids[container]!, origin: 'assigned', ...times })
    }
    return rows
  }
  for (const one of acts) {
    if (one.kind === 'put') {
      const source = maskAddress(SOURCES[one.source]!, PREFIX4)
      table.put(row(source, one.container), false)
      entries.set(source, CONTAINERS[one.container]!)
    } else if (one.kind === 'forget') {
      const source = maskAddress(SOURCES[one.source]!, PREFIX4)
      table.forget(row(source))
      entries.delete(source)
    } else if (one.kind === 'turn') {
      const container = CONTAINERS[one.container]!
      const was = { state: down.has(container) ? ('down' as const) : ('ready' as const) }
      if (one.isUp) down.delete(container)
      else down.add(container)
      log.turned(container, was, { state: one.isUp ? 'ready' : 'down' })
    } else if (one.kind === 'wait') ms += one.ms
    else if (one.kind === 'set back') {
      await log.flush()
      ms -= one.ms
      await log.flush()
    } else if (one.kind === 'flush') await log.flush()
    else {
      await log.close()
      log = open()
    }
    const { next, rows } = table.changes(position, 1_000)
    position = next
    if (rows.length > 0) log.onChanges(rows)
    journal.push({ ms, entries: new Map(entries), down: new Set(down) })
  }
  await log.close()
  return journal
}

test('the log, read again, says of every source at every time what a naive journal says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 60 }), async (acts) => {
      const folder = mkdtempSync(join(tmpdir(), 'onehop-decisions-'))
      try {
        const journal = await play(folder, acts)
        const logged: (Logged | 'damaged')[] = []
        for await (const one of readLog(folder)) logged.push(one)
        for (const atMs of new Set(journal.map(({ ms }) => ms))) {
          const page = journal.findLast(({ ms }) => ms <= atMs)!
          for (const source of SOURCES) {
            const question = { source, atMs }
            const history = new History(source, atMs)
            for (const one of logged) history.add(one)
            const past = explainPast(question, history, () => undefined)
            const [told] = past.scopes
            const expected = page.entries.get(maskAddress(source, PREFIX4))
            if (told!.known === 'unlogged' && atMs < START_MS) continue
            assert.equal(told!.container, expected, `${source} at ${atMs - START_MS}`)
            assert.equal(told!.known, expected === undefined ? 'no' : 'log')
            assert.equal(told!.isDoubtful, false)
            if (expected === undefined) continue
            assert.equal(told!.stood!.state, page.down.has(expected) ? 'down' : 'ready')
            assert.ok(told!.until === undefined || Date.parse(told!.until) > atMs)
          }
        }
      } finally {
        rmSync(folder, { recursive: true })
      }
    }),
    { numRuns: 40, seed: SEED, includeErrorInReport: true },
  )
})

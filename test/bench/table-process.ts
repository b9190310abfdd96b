/** One round of test/bench/table.ts, which has a folder for it: prints TableFigures. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Address } from '../../src/address.ts'
import { parseConfig } from '../../src/config/load.ts'
import { scopesOf } from '../../src/scope.ts'
import type { Store } from '../../src/store/store.ts'
import { makeRows, ROW_WORDS, type Rows, sliceRows, writeEntry } from '../../src/table/rows.ts'
import { serveSource } from '../support/api.ts'
import { onehop } from '../support/cli.ts'
import { untilTrue } from '../support/lab/until.ts'
import { Operated } from '../support/operated.ts'
import { ENTRIES, type TableFigures } from './table.ts'

const AT_ONCE = 50_000
const YAML = `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [{name: a, address: 10.77.0.11}, {name: b, address: 10.77.0.12}]}
`
const CLOCK = {
  nowSeconds: () => process.hrtime()[0],
  zeroMs: () => Date.now() - Number(process.hrtime.bigint() / 1_000_000n),
}

const BUILT = '../../dist/store/store.js'
const folder = process.argv[2]!

const secondsOf = async (act: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await act()
  return (performance.now() - start) / 1000
}

/** The same memory each time: what JavaScript takes must not grow while the table's is measured. */
const rows = makeRows(AT_ONCE)

function someRows(operated: Operated, first: number): Rows {
  const [scope, a, b] = [
    operated.identities.scope('service web'),
    operated.identities.container('a'),
    operated.identities.container('b'),
  ]
  const times = { sinceSeconds: CLOCK.nowSeconds(), seenSeconds: CLOCK.nowSeconds() }
  for (let i = 0; i < AT_ONCE; i++) {
    const source = (0x0a000000 + first + i).toString(16).padStart(8, '0') as Address
    const key = { scope, source, container: i % 2 === 0 ? a : b }
    writeEntry(rows, i, { ...key, origin: 'assigned', ...times, packets: 1, bytes: 60 })
  }
  return rows
}

/** One source many times first: what is measured is the table, not the ring of changes, which is as large for any table. */
function fill(): { readonly operated: Operated; readonly bytesAnEntry: number } {
  const operated = new Operated(YAML, { capacity: ENTRIES, zeroMs: CLOCK.zeroMs() })
  const one = sliceRows(someRows(operated, 0), 0, 1)
  const warm = makeRows(2 * AT_ONCE)
  for (let row = 0; row < 2 * AT_ONCE; row++) warm.set(one, row * ROW_WORDS)
  operated.table.put(warm, false)
  for (let first = 0; first < ENTRIES; first += AT_ONCE) someRows(operated, first)
  const before = residentBytes()
  for (let first = 0; first < ENTRIES; first += AT_ONCE) operated.table.put(someRows(operated, first), true)
  return { operated, bytesAnEntry: (residentBytes() - before) / ENTRIES }
}

function residentBytes(): number {
  gc!()
  return process.memoryUsage.rss()
}

/** As it was built, and without the compiler that this process has: the store's own process starts in 0.1 s then. */
const { Store: BuiltStore } = (await import(BUILT)) as typeof import('../../src/store/store.ts')
process.execArgv.splice(0)

const storeOf = ({ table, identities }: Operated): Store =>
  new BuiltStore({
    path: join(folder, 'table'),
    table,
    names: identities,
    clock: CLOCK,
    log: pino({ level: 'silent' }),
  })

const isWhole = (): boolean =>
  existsSync(join(folder, 'table')) &&
  readdirSync(join(folder, 'table')).some((name) => /^\d+\.mdb$/.test(name))

async function restore(filled: Operated): Promise<number> {
  const written = storeOf(filled)
  written.start()
  await untilTrue(isWhole, 'a whole table on the disk')
  await written.close()
  const operated = new Operated(YAML, { capacity: ENTRIES })
  const store = storeOf(operated)
  const scopes = scopesOf(parseConfig(YAML, 'bench.yaml'), operated.identities)
  const seconds = await secondsOf(() => store.restore(scopes))
  await store.close()
  expectFull(operated)
  return seconds
}

/** Command line and daemon take turns in one process here; a daemon of its own would do its part meanwhile. */
async function exportAndImport(filled: Operated) {
  const [socket, file] = [join(folder, 'bench.sock'), join(folder, 'entries.csv')]
  const command = async (operated: Operated, ...argv: readonly string[]) => {
    const table = () => operated.table.counters().table
    const api = await serveSource(socket, {
      status: () => ({ table: table() }) as never,
      table: operated.operator,
    })
    const { code, stderr } = await onehop('table', ...argv, '--socket', socket)
    await api.close()
    if (code !== 0) throw new Error(stderr)
  }
  const exportSeconds = await secondsOf(() => command(filled, 'export', '--output', file))
  const operated = new Operated(YAML, { capacity: ENTRIES })
  const importSeconds = await secondsOf(() => command(operated, 'import', file))
  expectFull(operated)
  return { exportSeconds, importSeconds }
}

function expectFull({ table }: Operated): void {
  const { entries } = table.counters().table
  if (entries !== ENTRIES) throw new Error(`${entries} entries; expected ${ENTRIES}`)
}

async function main(): Promise<TableFigures> {
  const { operated, bytesAnEntry } = fill()
  return { bytesAnEntry, restoreSeconds: await restore(operated), ...(await exportAndImport(operated)) }
}

process.stdout.write(JSON.stringify(await main()))

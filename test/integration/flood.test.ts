import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { mapLimited } from '../support/lab/until.ts'
import { clientAddress, Lab, PUBLIC } from '../support/lab.ts'

/** A million made-up sources a minute, for as long as 250,000 of them take; what is sent faster makes up for losses. */
const PER_MINUTE = 1_000_000
const MADE_UP = 250_000
const RATE = 25_000
const CLIENTS = Array.from({ length: 1_000 }, (_, i) => 1_000 + i)
const FIRST_NEWCOMER = 10_000
const NEWCOMERS_A_ROUND = 20

interface Status {
  readonly table: Readonly<Record<'entries' | 'probation' | 'moved' | 'full', number>>
}

const lab = await Lab.open()
after(() => lab.close())
// Room for the clients but not for the flood: were it let in, the table would be full within a second.
const daemon = await lab.startDaemon({ config: { ...lab.config(), table: { capacity: 8_192 } } })
after(() => daemon.stop())
const agent = await lab.client.agent()

const visit = (clients: readonly number[]): Promise<readonly string[]> =>
  mapLimited(
    clients,
    20,
    async (n) => (await agent.who(`http://${PUBLIC}/`, { from: clientAddress(n) })).container,
  )

test('1,000 clients keep their containers, and new ones are served, under a million made-up sources a minute', async () => {
  const containers = await visit(CLIENTS)
  const before = (await daemon.status<Status>()).table
  assert.equal(before.entries, CLIENTS.length)

  const script = join(import.meta.dirname, '..', 'support', 'servers', 'flood.py')
  const flood = lab.client.start(['python3', script, PUBLIC, '80', String(MADE_UP), String(RATE)])
  const known = new Map(CLIENTS.map((n, i) => [n, containers[i]!]))
  const moved: number[] = []
  let requests = 0
  while (flood.exit === undefined) {
    const newcomers = Array.from({ length: NEWCOMERS_A_ROUND }, (_, i) => FIRST_NEWCOMER + known.size + i)
    for (const [i, container] of (await visit(newcomers)).entries()) known.set(newcomers[i]!, container)
    const everybody = [...known.keys()]
    for (const [i, container] of (await visit(everybody)).entries())
      if (container !== known.get(everybody[i]!)) moved.push(everybody[i]!)
    requests += newcomers.length + everybody.length
  }
  assert.equal(flood.exit.code, 0, flood.stderr)
  const { seconds } = JSON.parse(flood.stdout) as { seconds: number }
  const { table } = await daemon.status<Status>()

  const arrived = table.probation - before.probation - (known.size - CLIENTS.length)
  const perMinute = Math.round((arrived / seconds) * 60)
  console.error(
    `${arrived} made-up sources in ${seconds.toFixed(1)} s, ${perMinute} a minute; ${requests} requests beside them`,
  )
  assert.ok(perMinute >= PER_MINUTE, `only ${perMinute} made-up sources a minute reached the table`)
  assert.deepEqual(moved, [])
  assert.deepEqual(
    { ...table, probation: 0 },
    { ...before, entries: known.size, made: known.size, probation: 0 },
  )
})

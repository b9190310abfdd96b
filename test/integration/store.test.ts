import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { hostState } from '../support/lab/host-state.ts'
import { mapLimited, untilTrue } from '../support/lab/until.ts'
import { type Lab, withLab } from '../support/lab.ts'

const CLIENTS = Array.from({ length: 300 }, (_, n) => 1_000 + n)

interface Status {
  readonly table: { readonly entries: number; readonly moved: number }
  readonly store: {
    readonly state: string
    readonly error?: string
    readonly restored: number
    readonly dropped: number
  }
}

/** The container of each client, IPv4 and IPv6 in turn. */
const visit = (agent: Agent): Promise<readonly string[]> =>
  mapLimited(CLIENTS, 20, async (n) => {
    const { url, client } = FAMILIES[n % FAMILIES.length]!
    return (await agent.who(`${url}/`, { from: client(n) })).container
  })

async function start(
  lab: Lab,
  folder: string,
  config: unknown,
  ...flags: readonly string[]
): Promise<Daemon> {
  const daemon = lab.launchDaemon({ config, flags }, folder)
  await daemon.untilReady()
  return daemon
}

const moves = (before: readonly string[], after: readonly string[]): number =>
  before.filter((container, i) => container !== after[i]).length

test('after kill -9 under load every client keeps its container, though a new container changes what would be chosen', () =>
  withLab({}, async (lab) => {
    const agent = await lab.client.agent()
    const clean = await hostState(lab.host)
    const folder = lab.path('killed')
    const [first, second] = lab.containers
    const daemon = await start(lab, folder, lab.config([first!, second!]))
    const before = await visit(agent)
    let isLoading = true
    const load = (async () => {
      while (isLoading) await visit(agent).catch(() => [])
    })()
    await untilTrue(
      async () => (await daemon.status<Status>()).table.entries === CLIENTS.length,
      'an entry for each',
    )
    // A second is what the store may be behind.
    const { upSeconds } = await daemon.status<{ upSeconds: number }>()
    await untilTrue(
      async () => (await daemon.status<{ upSeconds: number }>()).upSeconds >= upSeconds + 2,
      'a second gone by',
    )
    assert.deepEqual(await daemon.stop('SIGKILL'), { code: null, signal: 'SIGKILL' })

    const next = await start(lab, folder, lab.config())
    const after = await visit(agent)
    isLoading = false
    await load
    const { table, store } = await next.status<Status>()
    assert.deepEqual(
      [store.restored, store.dropped, moves(before, after), table.moved],
      [CLIENTS.length, 0, 0, 0],
    )
    await next.stop()

    const without = await start(lab, folder, lab.config(), '--store', 'off')
    const chosen = await visit(agent)
    console.error(`${CLIENTS.length} clients: 0 moved, ${moves(before, chosen)} would have without the store`)
    assert.ok(moves(before, chosen) > CLIENTS.length / 6)
    await without.stop()
    assert.equal(await hostState(lab.host), clean)
  }))

test('with a full disk packets flow, the status says so, and what happened meanwhile is stored when there is room', () =>
  withLab({}, async (lab) => {
    const agent = await lab.client.agent()
    const folder = lab.path('full')
    const disk = lab.path('disk')
    await lab.host.script(
      `mkdir ${disk}; mount -t tmpfs -o size=256k tmpfs ${disk}; head -c 300k /dev/zero > ${disk}/filler || true`,
    )
    const flags = ['--store', `${disk}/table`]
    const daemon = await start(lab, folder, lab.config(), ...flags)
    const before = await visit(agent)
    const until = (state: string) =>
      untilTrue(async () => (await daemon.status<Status>()).store.state === state, `a store that is ${state}`)
    await until('failing')
    assert.match((await daemon.status<Status>()).store.error!, /disk full: \d+ bytes left/)
    assert.deepEqual(await visit(agent), before)
    await lab.host.script(`rm ${disk}/filler`)
    await until('current')
    await daemon.stop()

    const next = await start(lab, folder, lab.config(), ...flags)
    assert.equal((await next.status<Status>()).store.restored, CLIENTS.length)
    await next.stop()
  }))

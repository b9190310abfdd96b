import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { withLab } from '../support/lab.ts'

const ROWS = 200_000
/** The client's family, address and public address. */
const { url, client } = FAMILIES[0]!

async function order(daemon: Daemon, ...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.ask('table', ...argv)
  assert.equal(code, 0, stderr)
  return stdout
}

test("an operator's pin leads a client elsewhere, across reload and restart, until it is taken back", () =>
  withLab({}, async (lab) => {
    const agent = await lab.client.agent()
    const folder = lab.path('pinned')
    const start = async (): Promise<Daemon> => {
      const daemon = lab.launchDaemon({ config: lab.config() }, folder)
      await daemon.untilReady()
      return daemon
    }
    const goes = async () => (await agent.who(`${url}/`, { from: client(7) })).container
    const daemon = await start()
    const before = await goes()
    const other = before === 'c1' ? 'c2' : 'c1'
    await order(daemon, 'pin', client(7), other, '--service', 'web')
    assert.equal(await goes(), other)
    daemon.running.signal('SIGHUP')
    await daemon.untilLogged(({ msg }) => msg === 'reloaded', 'reloaded')
    assert.equal(await goes(), other)
    await daemon.stop('SIGKILL')

    const next = await start()
    assert.equal(await goes(), other)
    const getKnown = async () => JSON.parse(await order(next, 'get', client(7), '--json'))
    // What the fast path counts comes back by and by.
    await untilTrue(async () => (await getKnown()).entries[0].packets > 0, 'its packets are counted')
    const known = await getKnown()
    // The fast path goes on with what it was left, and no packet thread decides the entry anew.
    assert.ok(['pinned', 'restored'].includes(known.entries[0].origin), known.entries[0].origin)
    assert.ok(known.entries[0].bytes > 0)
    assert.deepEqual(known.pins, [{ service: 'web', source: client(7), container: other, by: 'operator' }])
    await order(next, 'unpin', client(7), '--service', 'web')
    await order(next, 'forget', '--prefix', client(7))
    assert.equal(await goes(), before)
    await next.stop()
  }))

test(`${ROWS} entries are imported, listed, stored and exported again while clients are served`, () =>
  withLab({}, async (lab) => {
    const agent = await lab.client.agent()
    const config = { ...lab.config(), table: { capacity: ROWS * 2 } }
    const folder = lab.path('large')
    const daemon = lab.launchDaemon({ config }, folder)
    await daemon.untilReady()
    const address = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
    const lines = Array.from({ length: ROWS }, (_, n) => `web,${address(n)},c${(n % 3) + 1}`)
    const [input, output] = [lab.path('in.csv'), lab.path('out.csv')]
    writeFileSync(input, `scope,source,container\n${lines.join('\n')}\n`)

    let isServing = true
    let requests = 0
    const serving = (async () => {
      while (isServing) {
        const n = 100 + (requests++ % 50)
        assert.equal((await agent.get(`${url}/`, { from: client(n) })).status, 200)
      }
    })()
    const start = performance.now()
    assert.equal(await order(daemon, 'import', input), `imported  ${ROWS}\n`)
    const importedMs = performance.now() - start
    await order(daemon, 'export', '--output', output, '--prefix', '10.0.0.0/8')
    const exportedMs = performance.now() - start - importedMs
    isServing = false
    await serving
    const exported = readFileSync(output, 'utf8').trimEnd().split('\n').slice(1)
    assert.deepEqual(exported.map((line) => line.split(',').slice(0, 3).join(',')).sort(), lines.sort())
    console.error(
      `imported in ${Math.round(importedMs)} ms, exported in ${Math.round(exportedMs)} ms, ${requests} requests meanwhile`,
    )
    await daemon.stop()

    const next = lab.launchDaemon({ config }, folder)
    await next.untilReady()
    const { store } = await next.status<{ store: { restored: number } }>()
    assert.ok(store.restored >= ROWS, `${store.restored} restored`)
    const { container } = await agent.who(`${url}/`, { from: client(100) })
    assert.match(container, /^c[123]$/)
    await next.stop()
  }))

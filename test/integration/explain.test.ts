import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import test from 'node:test'
import type { Explanation, ServiceExplanation } from '../../src/explain/explanation.ts'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { withLab } from '../support/lab.ts'

async function explained(daemon: Daemon, source: string): Promise<ServiceExplanation> {
  const { code, stdout, stderr } = await daemon.ask('explain', source, '--port', '80/tcp', '--json')
  assert.equal(code, 0, stderr)
  const { services } = JSON.parse(stdout) as Explanation
  assert.equal(services.length, 1)
  return services[0]!
}

const order = async (daemon: Daemon, ...argv: readonly [string, ...string[]]) => {
  const { code, stdout, stderr } = await daemon.ask(...argv)
  assert.equal(code, 0, stderr)
  return stdout
}

for (const { name, url, client } of FAMILIES)
  test(`explain names whom a client is served by, before and after, and who says otherwise: ${name}`, () =>
    withLab({}, async (lab) => {
      const daemon = await lab.startDaemon()
      const agent = await lab.client.agent()
      const served = async (n: number) => (await agent.who(`${url}/`, { from: client(n) })).container
      const containerOf = async (n: number) => (await explained(daemon, client(n))).decision.container
      for (let n = 0; n < 8; n++) {
        const foretold = await explained(daemon, client(n))
        assert.equal(foretold.decision.reason, 'chosen')
        assert.equal(foretold.decision.container, await served(n))
      }

      const known = await explained(daemon, client(1))
      const container = lab.containers.find((one) => one.name === known.decision.container)!
      assert.deepEqual(
        [known.decision.reason, known.entry?.place, known.entry?.holds],
        ['known', 'table', 'yes'],
      )
      assert.ok(known.entry!.packets > 0)
      const link = await container.namespace.script('cat /sys/class/net/eth0/address')
      assert.deepEqual(
        [known.route?.by, known.route?.interface, known.route?.mac],
        ['bridge', 'br0', link.trim()],
      )

      await order(daemon, 'containers', 'drain', container.name, '--deadline', '5m')
      assert.equal(await containerOf(1), container.name)
      const stranger = await explained(daemon, client(99))
      const drained = stranger.containers.find((one) => one.name === container.name)!
      assert.deepEqual([drained.state, drained.by, drained.verdict], ['draining', 'operator', 'draining'])
      const other = lab.containers.find((one) => one !== container)!
      await order(daemon, 'table', 'pin', client(1), other.name, '--service', 'web')
      const pinned = await explained(daemon, client(1))
      assert.deepEqual([pinned.decision.reason, pinned.decision.container], ['pinned', other.name])
      assert.deepEqual([pinned.pins[0]!.by, pinned.pins[0]!.result], ['operator', 'decides'])
      assert.equal(await served(1), other.name)

      const text = await order(daemon, 'explain', client(1))
      assert.match(text, new RegExp(`asking web at .* goes to ${other.name}, because it is pinned`))
      assert.ok(!text.includes('\x1b'), 'no colours into a pipe')
      await daemon.stop()
    }))

test('a saved table and the config tell offline what the daemon told', () =>
  withLab({}, async (lab) => {
    const config = lab.config()
    const daemon = await lab.startDaemon({ config })
    const agent = await lab.client.agent()
    const { url, client } = FAMILIES[0]!
    for (let n = 0; n < 6; n++) await agent.get(`${url}/`, { from: client(n) })
    const live = await explained(daemon, client(3))
    const file = lab.path('table.csv')
    writeFileSync(file, await order(daemon, 'table', 'export'))
    const { configFile } = daemon
    const offline = ['--config', configFile, '--table', file, '--json', '--port', '80/tcp'] as const
    const { stdout } = await daemon.ask('explain', client(3), ...offline)
    const [found] = (JSON.parse(stdout) as Explanation).services
    assert.deepEqual(found!.decision, live.decision)
    assert.deepEqual(found!.algorithm, live.algorithm)
    assert.deepEqual(found!.entry!.since, live.entry!.since)
    await daemon.stop()
  }))

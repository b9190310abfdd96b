import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, withLab } from '../support/lab.ts'

const CLIENTS = 24

const inLab =
  (use: (lab: Lab, agent: Agent, daemon: Daemon) => Promise<void>, ofService = {}) =>
  () =>
    withLab({}, async (lab) => {
      const config = lab.config()
      const services = config.services.map((service) => ({ ...service, ...ofService }))
      const daemon = await lab.startDaemon({ config: { ...config, services } })
      await use(lab, await lab.client.agent(), daemon)
      await daemon.stop()
    })

/** The container of each of some clients, IPv4 and IPv6 in turn. */
async function servedBy(agent: Agent, first: number): Promise<readonly string[]> {
  const names: string[] = []
  for (let n = first; n < first + CLIENTS; n++) {
    const { url, client } = FAMILIES[n % FAMILIES.length]!
    names.push((await agent.who(`${url}/`, { from: client(n) })).container)
  }
  return names
}

async function order(daemon: Daemon, ...argv: readonly string[]): Promise<void> {
  const { code, stderr } = await daemon.ask('containers', ...argv)
  assert.equal(code, 0, stderr)
}

test(
  'a draining container keeps its clients, across a reload too, and gets no new one until it is undrained',
  inLab(async (lab, agent, daemon) => {
    const before = await servedBy(agent, 0)
    assert.ok(before.includes('c2'), 'c2 serves some of them')
    await order(daemon, 'drain', 'c2')
    assert.deepEqual(await servedBy(agent, 0), before)
    assert.ok(!(await servedBy(agent, 100)).includes('c2'))

    daemon.writeConfig(lab.config())
    daemon.running.signal('SIGHUP')
    await daemon.untilLogged(({ msg }) => msg === 'reloaded', 'reloaded')
    assert.deepEqual(await servedBy(agent, 0), before)
    assert.ok(!(await servedBy(agent, 200)).includes('c2'))

    await order(daemon, 'undrain', 'c2')
    assert.ok((await servedBy(agent, 300)).includes('c2'))
  }),
)

test(
  'after the deadline its clients are answered by the others, and no other client moves',
  inLab(async (_lab, agent, daemon) => {
    const before = await servedBy(agent, 0)
    assert.ok(before.includes('c2'), 'c2 serves some of them')
    await order(daemon, 'drain', 'c2', '--deadline', '1s')
    await untilTrue(async () => {
      const { containers } = await daemon.status<{ containers: { name: string; state: string }[] }>()
      return containers.some(({ name, state }) => name === 'c2' && state === 'down')
    }, 'c2 is down')
    const after = await servedBy(agent, 0)
    assert.ok(!after.includes('c2'))
    for (const [n, name] of before.entries()) if (name !== 'c2') assert.equal(after[n], name)
  }),
)

test(
  'a container of weight 0 keeps its clients and gets no new one',
  inLab(async (_lab, agent, daemon) => {
    const before = await servedBy(agent, 0)
    assert.ok(before.includes('c3'), 'c3 serves some of them')
    await order(daemon, 'weight', 'c3', '0')
    assert.deepEqual(await servedBy(agent, 0), before)
    assert.ok(!(await servedBy(agent, 100)).includes('c3'))
  }),
)

/** Turns make shares exact: of 24 new clients, 12 of either family, each of three containers has eight. */
const IN_TURN = { algorithm: 'weighted-round-robin' }

const countOf = async (name: string, agent: Agent, first: number) =>
  (await servedBy(agent, first)).filter((served) => served === name).length

test(
  'a container that comes back has a tenth of its turns at first',
  inLab(
    async (_lab, agent, daemon) => {
      await order(daemon, 'drain', 'c3')
      await order(daemon, 'undrain', 'c3')
      assert.ok((await countOf('c3', agent, 0)) <= 2)
    },
    { ...IN_TURN, slowStart: '1h' },
  ),
)

test(
  'and all of them in the end',
  inLab(
    async (_lab, agent, daemon) => {
      await order(daemon, 'drain', 'c3')
      await order(daemon, 'undrain', 'c3')
      let first = 0
      await untilTrue(async () => {
        first += CLIENTS
        return (await countOf('c3', agent, first)) === CLIENTS / 3
      }, 'c3 has its turns')
    },
    { ...IN_TURN, slowStart: '1s' },
  ),
)

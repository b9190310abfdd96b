/** Several public ends lead to the same endpoint of a container, and clients use them at the same time. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES, type Family, inUrl } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { type Lab, withLab } from '../support/lab.ts'

const ROUNDS = 5

/** Two services on the same containers, each with two ports of either protocol for one of theirs. */
const SERVICES = [
  { name: 'web', addresses: ['203.0.113.10', '2001:db8:53::10'] },
  { name: 'shop', addresses: ['203.0.113.11', '2001:db8:53::11'] },
]
const PORTS = ['80/tcp->8080', '81/tcp->8080', '53/udp->5353', '54/udp->5353']

function configOf(lab: Lab, settings = {}) {
  const config = lab.config()
  const { containers } = config.services[0]!
  return {
    ...config,
    services: SERVICES.map((service) => ({ ...service, ports: PORTS, containers, ...settings })),
  }
}

const addressesOf = ({ name }: Family) => SERVICES.map(({ addresses }) => addresses[name === 'IPv4' ? 0 : 1]!)

/** A datagram is only taken from the address and port that it was sent to: the agent's sockets are connected. */
async function askEverything(agent: Agent, family: Family, from: string): Promise<readonly string[]> {
  const asked = addressesOf(family).flatMap((address) => [
    ...[80, 81].map(async (port) => {
      const url = `http://${inUrl(address)}:${port}/`
      return await agent.who(url, { from, connection: `${from} ${url}` })
    }),
    ...[53, 54].map(async (port) => JSON.parse((await agent.udp(address, port, 'who?', { from })).payload)),
  ])
  const answers = await Promise.all(asked)
  for (const { peer } of answers) assert.equal(peer, from)
  return answers.map(({ container }) => container)
}

/** Of every end at once, over connections that stay open. */
async function useAll(lab: Lab): Promise<void> {
  const agent = await lab.client.agent()
  for (const family of FAMILIES)
    for (const n of [1, 2, 3, 4, 5, 6]) {
      const first = await askEverything(agent, family, family.client(n))
      for (let round = 1; round < ROUNDS; round++)
        assert.deepEqual(await askEverything(agent, family, family.client(n)), first)
    }
}

/** Packets under a verdict so far. */
async function countOf(daemon: Daemon, verdict: string, reason: string): Promise<number> {
  const { verdicts } = await daemon.status<Status>()
  return verdicts.find((one) => one.verdict === verdict && one.reason === reason)?.packets ?? 0
}

test('one client uses two services with two ports each on one endpoint, and each answer returns from where it was asked', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    await useAll(lab)
    assert.equal(await countOf(daemon, 'drop', 'unknown-flow'), 0)
    assert.equal(await countOf(daemon, 'reply', 'endpoint'), 0)
    assert.ok((await countOf(daemon, 'reply', 'flow')) > 0)
    await daemon.stop()
  }))

test('large transfers through both services at once, each byte in its place', () =>
  withLab({ containers: 1 }, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    const agent = await lab.client.agent()
    for (const family of FAMILIES) {
      const from = family.client(9)
      const urls = addressesOf(family).flatMap((address) =>
        [80, 81].map((port) => `http://${inUrl(address)}:${port}/bytes`),
      )
      const transfers = urls.flatMap((url) => [
        agent.download(url, 3_000_000, { from }),
        agent.upload(url, 3_000_000, { from }),
      ])
      for (const { isEqual, bytes } of await Promise.all(transfers))
        assert.deepEqual({ isEqual, bytes }, { isEqual: true, bytes: 3_000_000 })
    }
    assert.equal(await countOf(daemon, 'drop', 'unknown-flow'), 0)
    await daemon.stop()
  }))

/** The public address and the container's own, over connections that stay open. */
async function useBothAddresses(agent: Agent, family: Family, own: string, from: string): Promise<void> {
  const [service] = addressesOf(family)
  const urls = [`http://${inUrl(service!)}/`, `http://${inUrl(own)}:8080/`]
  const ends = [
    [service!, 53],
    [own, 5353],
  ] as const
  for (let round = 0; round < ROUNDS; round++) {
    const answers = await Promise.all([
      ...urls.map((url) => agent.who(url, { from, connection: `${from} ${url}` })),
      ...ends.map(async ([address, port]) => {
        const answer = await agent.udp(address, port, 'who?', { from })
        assert.deepEqual([answer.address, answer.port], [address, port])
        return JSON.parse(answer.payload)
      }),
    ])
    for (const { container, peer } of answers) assert.deepEqual([container, peer], ['c1', from])
  }
}

test('with replies: flow a client uses the public address and the container’s own at once', () =>
  withLab({ containers: 1 }, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab, { replies: 'flow' }) })
    const agent = await lab.client.agent()
    for (const family of FAMILIES)
      for (const n of [1, 2, 3])
        await useBothAddresses(agent, family, lab.containers[0]![family.own], family.client(n))
    assert.ok((await countOf(daemon, 'pass', 'unknown-flow')) > 0)
    await daemon.stop()
  }))

test('by default the container’s own address has no answer for a client of the public one, but for anyone else', () =>
  withLab({ containers: 1 }, async (lab) => {
    const [web] = configOf(lab).services
    const daemon = await lab.startDaemon({
      config: { ...lab.config(), services: [{ ...web!, ports: ['53/udp->5353'] }] },
    })
    const agent = await lab.client.agent()
    for (const family of FAMILIES) {
      const [service] = addressesOf(family)
      const own = lab.containers[0]![family.own]
      await agent.udp(service!, 53, 'who?', { from: family.client(1) })
      const asked = agent.udp(own, 5353, 'who?', { from: family.client(1), timeoutMs: 500 })
      await assert.rejects(asked, { code: 'ETIMEDOUT' })
      await agent.udp(own, 5353, 'who?', { from: family.client(2) })
    }
    await daemon.stop()
  }))

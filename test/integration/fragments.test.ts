/**
 * Datagrams larger than the path, both ways, on a host that leaves fragments as they are and on one whose connection
 * tracking puts them together and cuts them again.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { likeDocker } from '../support/lab/like-docker.ts'
import { type Lab, PUBLIC, PUBLIC6, startServer, UPLINK, withLab } from '../support/lab.ts'

const LENGTHS = [1_473, 8_192, 60_000]
const WHOLE = { IPv4: '203.0.113.11', IPv6: '2001:db8:53::11' }
const CLIENT = { IPv4: '198.18.0.2', IPv6: '2001:db8:18::2' }
const PROTOCOLS = join(import.meta.dirname, '..', 'support', 'servers', 'protocols.py')

const HOSTS = [
  { name: 'nothing reassembles', rules: '', isTracked: false },
  { name: 'connection tracking reassembles', rules: likeDocker('nft'), isTracked: true },
]

/** Several services on one address, with mapped ports, and one with all ports on another; several queues. */
function config(lab: Lab) {
  const [c1, c2, c3] = lab.containers.map(({ name, address, address6 }) => ({ name, address, address6 }))
  const addresses = [PUBLIC, PUBLIC6]
  const { services: _, ...frame } = lab.config()
  return {
    ...frame,
    dataplane: { queues: 3 },
    services: [
      { name: 'dns', addresses, ports: ['53/udp->5353'], containers: [c1, c2] },
      { name: 'syslog', addresses, ports: ['514/udp->5354'], containers: [c2, c1] },
      { name: 'whole', addresses: Object.values(WHOLE), ports: 'all', containers: [c3] },
    ],
  }
}

const payloadOf = (length: number): string => 'abcdefghijk'.repeat(6_000).slice(0, length)

async function assertEchoed(agent: Agent, address: string, port: number, from?: string): Promise<void> {
  for (const length of LENGTHS) {
    const payload = payloadOf(length)
    const answer = await agent.udp(address, port, payload, from === undefined ? {} : { from })
    assert.deepEqual([answer.address, answer.port], [address, port])
    assert.ok(answer.payload === payload, `${length} bytes came back as ${answer.payload.length} others`)
  }
}

/** How many packets got each verdict, by `verdict reason`. */
async function verdictsOf(daemon: Daemon): Promise<ReadonlyMap<string, number>> {
  type Row = { verdict: string; reason: string; packets: number }
  const { verdicts } = await daemon.status<{ verdicts: readonly Row[] }>()
  return new Map(verdicts.map(({ verdict, reason, packets }) => [`${verdict} ${reason}`, packets]))
}

for (const { name, rules, isTracked } of HOSTS)
  test(`datagrams of up to 60 KB arrive whole both ways where ${name}`, () =>
    withLab({ udp: [5353, 5354] }, async (lab) => {
      if (rules !== '') await lab.host.script(rules)
      const daemon = await lab.startDaemon({ config: config(lab) })
      const agent = await lab.client.agent()
      for (const { name: family, service, client } of FAMILIES) {
        await assertEchoed(agent, service, 53, client(1))
        await assertEchoed(agent, service, 514, client(1))
        await assertEchoed(agent, WHOLE[family], 5354, client(2))
      }
      assert.equal((await reassembledBy(lab)) > 0, isTracked)
      for (const caller of [lab.host, ...lab.containers.map(({ namespace }) => namespace)])
        for (const { service } of FAMILIES) await assertEchoed(await caller.agent(), service, 53)
      await assertOwnTraffic(lab)
      await assertProtocols(lab)
      const verdicts = await verdictsOf(daemon)
      for (const wanted of ['forward fragment', 'reply fragment'])
        assert.ok(verdicts.get(wanted)! > 200, `${wanted}: ${verdicts.get(wanted)}`)
      assert.equal(verdicts.get('drop fragment'), undefined, 'some fragment overtook its first')
      await daemon.stop()
    }))

/** Datagrams over IPv4 that the host put together. */
async function reassembledBy(lab: Lab): Promise<number> {
  const [names, values] = (await lab.host.run(['grep', '^Ip:', '/proc/net/snmp'])).split('\n')
  return Number(values!.split(' ')[names!.split(' ').indexOf('ReasmOKs')])
}

/** A container calls one that is a client of its own service: neither is taken for the other's answer. */
async function assertOwnTraffic(lab: Lab): Promise<void> {
  const server = startServer(lab.client, { udp: [7_000] })
  await server.until(({ lines }) => lines.length > 0, 'ready')
  const agent = await lab.client.agent()
  for (const { name, service } of FAMILIES) {
    const from = CLIENT[name]
    await agent.udp(service, 53, 'who?', { from })
    for (const { namespace } of lab.containers) await assertEchoed(await namespace.agent(), from, 7_000)
  }
  await server.stop()
}

/** Whole and in fragments. */
async function assertProtocols(lab: Lab): Promise<void> {
  const server = lab.containers[2]!.namespace.start(['/usr/bin/python3', PROTOCOLS, 'serve'])
  await server.until(({ lines }) => lines.length > 0, 'ready')
  for (const { name, client } of FAMILIES)
    for (const length of [100, 8_192]) {
      const ask = ['/usr/bin/python3', PROTOCOLS, 'ask', client(3), WHOLE[name], String(length)]
      const echoed = { 47: length, 50: length, 132: length, 136: length, 253: length }
      assert.deepEqual(JSON.parse(await lab.client.run(ask)), echoed)
    }
  await server.stop()
}

test('fragments larger than the containers take are cut again on their way in', () =>
  withLab({ containers: 1 }, async (lab) => {
    await lab.host.script(`ip link set ${UPLINK} mtu 9000`)
    await lab.client.script('ip link set eth0 mtu 9000')
    const daemon = await lab.startDaemon()
    const agent = await lab.client.agent()
    for (const { service, client } of FAMILIES) await assertEchoed(agent, service, 53, client(1))
    assert.equal((await verdictsOf(daemon)).get('drop fragment'), undefined)
    await daemon.stop()
  }))

test('a client that changes its port, as QUIC does, keeps its container', () =>
  withLab({ containers: 5 }, async (lab) => {
    const daemon = await lab.startDaemon()
    const agent = await lab.client.agent()
    for (const { service, client } of FAMILIES) {
      const asked = await Promise.all(
        Array.from({ length: 20 }, () => agent.udp(service, 53, 'who?', { from: client(1) })),
      )
      const answers = asked.map(({ payload }) => JSON.parse(payload))
      assert.equal(new Set(answers.map(({ peerPort }) => peerPort)).size, 20)
      assert.equal(new Set(answers.map(({ container }) => container)).size, 1)
    }
    await daemon.stop()
  }))

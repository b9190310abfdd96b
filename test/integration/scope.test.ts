/** What shares an entry, and how much of a source counts: on real traffic. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES, type Family } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import { type Lab, withLab } from '../support/lab.ts'

/** Like FTP: a control connection, then data connections to other ports, also of another protocol. */
const CONTROL = { name: 'control', ports: ['21/tcp->8080'], weights: [1, 0, 0] }
const DATA = { name: 'data', ports: ['2000/tcp->8081', '2000/udp->5353'], weights: [0, 1, 0] }

/**
 * Who comes to one of them first is sent to a container that takes nobody of the other's: only a shared entry leads the
 * client of both to one container.
 */
function configOf(lab: Lab, affinity: object) {
  const config = lab.config()
  const [web] = config.services
  return {
    ...config,
    services: [CONTROL, DATA].map(({ weights, ...service }) => ({
      ...service,
      addresses: web!.addresses,
      containers: web!.containers.map((container, i) => ({ ...container, weight: weights[i] })),
      affinity,
    })),
  }
}

/** The containers that a client meets. */
async function session(agent: Agent, { url, service }: Family, from: string, isDataFirst: boolean) {
  const control = async () => (await agent.who(`${url}:21/`, { from })).container
  const data = async () => (await agent.who(`${url}:2000/`, { from })).container
  const datagram = async () =>
    JSON.parse((await agent.udp(service, 2000, 'who?', { from })).payload).container
  const met: string[] = []
  const steps = isDataFirst ? [datagram, data, control, data] : [control, data, datagram, control]
  for (const step of steps) met.push(await step())
  return [...new Set(met)]
}

const SCOPES = [
  { affinity: { scope: 'group', group: 'ftp' }, containers: { control: ['c1'], data: ['c2'] } },
  { affinity: { scope: 'address' }, containers: { control: ['c1'], data: ['c2'] } },
  { affinity: { scope: 'service' }, containers: { control: ['c1', 'c2'], data: ['c2', 'c1'] } },
]

for (const { affinity, containers } of SCOPES)
  test(`with scope ${affinity.scope} a client of two services meets ${containers.control.length} container(s)`, () =>
    withLab({ http: [8080, 8081] }, async (lab) => {
      const daemon = await lab.startDaemon({ config: configOf(lab, affinity) })
      const agent = await lab.client.agent()
      for (const family of FAMILIES) {
        for (const n of [1, 2, 3])
          assert.deepEqual(await session(agent, family, family.client(n), false), containers.control)
        for (const n of [4, 5, 6])
          assert.deepEqual(await session(agent, family, family.client(n), true), containers.data)
      }
      await daemon.stop()
    }))

test('with a prefix all its clients are one source, each family by its own length', () =>
  withLab({}, async (lab) => {
    const [web] = lab.config().services
    const services = [{ ...web!, affinity: { prefix4: 24, prefix6: 120 } }]
    const daemon = await lab.startDaemon({ config: { ...lab.config(), services } })
    const agent = await lab.client.agent()
    for (const { url, client } of FAMILIES) {
      const metIn = async (prefix: number) => {
        const asked = [0, 9, 99, 199, 250].map(async (n) => {
          const from = client(256 * prefix + n)
          const { container, peer } = await agent.who(`${url}/`, { from })
          assert.equal(peer, from)
          return container
        })
        return [...new Set(await Promise.all(asked))]
      }
      const met = await Promise.all(Array.from({ length: 24 }, (_, prefix) => metIn(prefix)))
      for (const containers of met) assert.equal(containers.length, 1)
      assert.deepEqual([...new Set(met.flat())].sort(), ['c1', 'c2', 'c3'])
    }
    await daemon.stop()
  }))

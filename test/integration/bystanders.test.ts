/** What is not onehop's passes as if it were not there: while it runs, and after it has stopped. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES, inUrl } from '../support/families.ts'
import { hostState } from '../support/lab/host-state.ts'
import { likeDocker } from '../support/lab/like-docker.ts'
import { ping } from '../support/lab/ping.ts'
import { type Container, type Lab, type LabOptions, startServer, withLab } from '../support/lab.ts'

const OUTSIDE_PORT = 9_000

/** A server out among the clients, for containers to call. */
async function serveOutside(lab: Lab): Promise<void> {
  const server = startServer(lab.client, { http: [OUTSIDE_PORT], udp: [OUTSIDE_PORT] })
  await server.until(({ lines }) => lines.length > 0, 'ready')
}

/** TCP, UDP and ping from a container to the outside arrive with the address they should have there. */
async function callOut(lab: Lab, seenAs?: string): Promise<void> {
  for (const { name, own } of FAMILIES) {
    const outside = name === 'IPv4' ? '198.18.0.2' : '2001:db8:18::2'
    for (const container of lab.containers) {
      const peer = (name === 'IPv4' && seenAs) || container[own]
      await callBoth(container, outside, OUTSIDE_PORT, { container: 'client', peer })
    }
  }
}

/** Each container calls every other one. */
async function callEachOther(lab: Lab): Promise<void> {
  for (const { own } of FAMILIES)
    for (const caller of lab.containers)
      for (const called of lab.containers.filter((container) => container !== caller)) {
        const expected = { container: called.name, peer: caller[own] }
        await callBoth(caller, called[own], 8080, expected, 5353)
      }
}

/** The host, and a client that never used the service, call containers by their own addresses. */
async function callDirectly(lab: Lab): Promise<void> {
  for (const { own, client, name } of FAMILIES)
    for (const container of lab.containers) {
      const bridge = name === 'IPv4' ? '10.77.0.1' : 'fd77::1'
      const fromHost = { name: 'host', namespace: lab.host }
      await callBoth(fromHost, container[own], 8080, { container: container.name, peer: bridge }, 5353)
      const from = client(7)
      const expected = { container: container.name, peer: from }
      await callBoth({ name: 'client', namespace: lab.client }, container[own], 8080, expected, 5353, from)
    }
}

async function callBoth(
  caller: Pick<Container, 'name' | 'namespace'>,
  address: string,
  httpPort: number,
  expected: { container: string; peer: string },
  udpPort = httpPort,
  from?: string,
): Promise<void> {
  const agent = await caller.namespace.agent()
  const source = from === undefined ? {} : { from }
  const { peerPort: _, ...http } = await agent.who(`http://${inUrl(address)}:${httpPort}/`, source)
  assert.deepEqual(http, expected, `${caller.name} → ${address}, HTTP`)
  const answer = await agent.udp(address, udpPort, 'who?', source)
  assert.equal(answer.address, address)
  const { peerPort: __, ...udp } = JSON.parse(answer.payload)
  assert.deepEqual(udp, expected, `${caller.name} → ${address}, UDP`)
  await ping(caller.namespace, address, { count: 1, ...source })
}

/** The service itself, from clients that the direct calls do not come from. */
async function useService(lab: Lab): Promise<void> {
  const agent = await lab.client.agent()
  for (const { url, client, service } of FAMILIES)
    for (const n of [20, 21, 22, 23, 24, 25]) {
      const from = client(n)
      assert.equal((await agent.who(`${url}/`, { from })).peer, from)
      assert.equal((await agent.udp(service, 53, 'who?', { from })).address, service)
    }
}

const HOSTS: readonly { title: string; options: LabOptions }[] = [
  { title: 'a plain host', options: {} },
  { title: 'a host that filters reverse paths strictly', options: { rpFilter: 1 } },
]

for (const { title, options } of HOSTS)
  test(`on ${title}, containers call out and each other, and are called directly, with onehop and after it`, () =>
    withLab(options, async (lab) => {
      await serveOutside(lab)
      const callAll = async () => {
        await callOut(lab)
        await callEachOther(lab)
        await callDirectly(lab)
      }
      await callAll()
      const before = await hostState(lab.host)
      const daemon = await lab.startDaemon()
      await useService(lab)
      await callAll()
      await useService(lab)
      assert.deepEqual(await daemon.stop(), { code: 0, signal: null })
      await callAll()
      assert.equal(await hostState(lab.host), before)
      const agent = await lab.client.agent()
      await assert.rejects(agent.get(`${FAMILIES[0]!.url}/`, { timeoutMs: 500 }))
    }))

for (const flavour of ['legacy', 'nft'] as const)
  test(`beside a firewall like Docker's (iptables-${flavour}), both it and the service work`, () =>
    withLab({}, async (lab) => {
      await serveOutside(lab)
      await lab.host.script(likeDocker(flavour))
      const agent = await lab.client.agent()
      const callAll = async () => {
        await callOut(lab, '198.18.0.1')
        await callEachOther(lab)
        const { container, peer } = await agent.who('http://198.18.0.1:8888/', { from: '198.19.0.200' })
        assert.deepEqual({ container, peer }, { container: 'c1', peer: '198.19.0.200' })
      }
      await callAll()
      const before = await hostState(lab.host)
      const daemon = await lab.startDaemon()
      await useService(lab)
      await callAll()
      await useService(lab)
      await daemon.stop()
      await callAll()
      assert.equal(await hostState(lab.host), before)
    }))

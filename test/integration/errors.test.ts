/** ICMP errors of routers behind the containers' side, and of the host itself: about requests, and about others' packets. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES, inUrl } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { dissect } from '../support/lab/dissect.ts'
import type { Namespace } from '../support/lab/namespace.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Container, clientAddress, type Lab, PUBLIC, PUBLIC6, UPLINK, withLab } from '../support/lab.ts'

const NARROW = 1400
const MANY = 1_000_000

/** Who sent an ICMP error, and whom the packet was for that it is about. */
async function errorsIn(file: string): Promise<readonly string[]> {
  const errors = 'icmp.type == 3 || icmpv6.type == 1 || icmpv6.type == 2'
  const rows = await dissect(file, errors, ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst'])
  const told = rows.map(([source4, destination4, source6, destination6]) => {
    const [from] = (source4 || source6)!.split(',')
    const [, quoted] = (destination4 || destination6)!.split(',')
    return `${from} about ${quoted}`
  })
  return [...new Set(told)].sort()
}

/** From a namespace to a container's server by any address: too much for a packet of the narrow path to hold. */
async function upload(namespace: Namespace, address: string, port = 8080, from?: string): Promise<void> {
  const url = `http://${inUrl(address)}:${port}/bytes`
  const agent = await namespace.agent()
  const { isEqual } = await agent.upload(url, MANY, from === undefined ? {} : { from })
  assert.ok(isEqual, url)
}

/** Another way to the container, by the host's own address and connection tracking. */
const forwardByConntrack = ({ host }: Lab, { address }: Container) =>
  host.script(`
iptables -t nat -A PREROUTING -i ${UPLINK} -p tcp --dport 8888 -j DNAT --to-destination ${address}:8080
iptables -t nat -A POSTROUTING -s ${address} -o ${UPLINK} -j MASQUERADE`)

test('clients hear from the public address that a container refuses or cannot be reached, direct ones from the host', () =>
  withLab({ containers: 1 }, async (lab) => {
    const [container] = lab.containers
    await forwardByConntrack(lab, container!)
    const daemon = await lab.startDaemon()
    const agent = await lab.client.agent()
    const capture = await lab.capture(lab.client, 'eth0', 'icmp or icmp6')
    for (const { service, client } of FAMILIES)
      await assert.rejects(agent.udp(service, 5201, 'x', { from: client(1) }), { code: 'ECONNREFUSED' })
    await lab.host.run(['ip', 'link', 'set', container!.port, 'down'])
    for (const { service, client } of FAMILIES)
      assert.equal(await agent.connect(service, 80, { from: client(1) }), 'EHOSTUNREACH')
    for (const { own, client } of FAMILIES)
      assert.equal(await agent.connect(container![own], 8080, { from: client(2) }), 'EHOSTUNREACH')
    assert.equal(await agent.connect('198.18.0.1', 8888, { from: clientAddress(2) }), 'EHOSTUNREACH')
    await capture.stop()
    assert.deepEqual(await errorsIn(capture.file), [
      `198.18.0.1 about ${container!.address}`,
      '198.18.0.1 about 198.18.0.1',
      `2001:db8:18::1 about ${container!.address6}`,
      `${PUBLIC6} about ${PUBLIC6}`,
      `${PUBLIC} about ${PUBLIC}`,
    ])
    await daemon.stop()
  }))

/** Everybody who is not a client of the service, and what a router behind the containers' side tells them. */
test('errors about others’ packets reach them as they were sent', () =>
  withLab({ containers: 1, containerRouter: { mtu: NARROW } }, async (lab) => {
    const [container] = lab.containers
    await forwardByConntrack(lab, container!)
    const daemon = await lab.startDaemon()
    const capture = await lab.capture(lab.client, 'eth0', 'icmp or icmp6')
    for (const { own, client } of FAMILIES) {
      await upload(lab.client, container![own], 8080, client(3))
      await upload(lab.host, container![own])
      for (const namespace of [lab.client, lab.host])
        assert.equal(await namespace.learntMtu(container![own]), NARROW)
    }
    await upload(lab.client, '198.18.0.1', 8888, '198.19.0.200')
    assert.equal(await lab.client.learntMtu('198.18.0.1'), NARROW)
    await capture.stop()
    assert.deepEqual(await errorsIn(capture.file), [
      '10.77.0.2 about 10.78.0.11',
      '198.18.0.1 about 198.18.0.1',
      'fd77::2 about fd78::11',
    ])
    await daemon.stop()
  }))

interface Status {
  readonly verdicts: readonly { readonly verdict: string; readonly packets: number }[]
}

async function forwardedBy(daemon: Daemon): Promise<number> {
  const { verdicts } = await daemon.status<Status>()
  const forwards = verdicts.filter(({ verdict }) => verdict === 'forward')
  return forwards.reduce((sum, { packets }) => sum + packets, 0)
}

/** Each one's container is the other's public address. */
function circle(lab: Lab, [own, other]: readonly [number, number]) {
  const { services, interfaces, ...config } = lab.config()
  const containers = [{ name: 'circle', address: `203.0.113.${other}`, address6: `2001:db8:53::${other}` }]
  const addresses = [`203.0.113.${own}`, `2001:db8:53::${own}`]
  const service = { ...services[0]!, name: `circle-${own}`, addresses, containers, ports: 'all' }
  return { ...config, interfaces: { ...interfaces, tun: `onehop${own}` }, services: [service] }
}

test('a packet that two TUNs would pass round for ever is dropped at once', () =>
  withLab({ containers: 1 }, async (lab) => {
    const first = await lab.startDaemon({ config: circle(lab, [1, 2]) })
    const second = await lab.startDaemon({ config: circle(lab, [2, 1]) })
    const agent = await lab.client.agent()
    for (const address of ['203.0.113.1', '2001:db8:53::1']) {
      const before = await forwardedBy(first)
      await agent.udp(address, 4000, 'x', { timeoutMs: 500 }).catch(() => {})
      await untilTrue(async () => (await forwardedBy(first)) > before, `a packet to ${address}`)
    }
    assert.ok((await forwardedBy(first)) < 20)
    assert.equal(await forwardedBy(second), 0)
    for (const daemon of [first, second]) await daemon.stop()
  }))

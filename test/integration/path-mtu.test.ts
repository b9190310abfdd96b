/** Paths that are narrower than both their ends: what is too large is told to who sent it, who then sends less. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { FAMILIES, type Family, inUrl } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { dissect, goodChecksums } from '../support/lab/dissect.ts'
import { untilTrue } from '../support/lab/until.ts'
import {
  BRIDGE,
  type Container,
  type Lab,
  type LabOptions,
  PUBLIC,
  PUBLIC6,
  UPLINK,
  withLab,
} from '../support/lab.ts'

const WIDE = 1500
const NARROW = 1400
const MANY = 3_000_000
const UDP_PORT = 5201

const DATAGRAMS = ['/usr/bin/python3', join(import.meta.dirname, '..', 'support', 'servers', 'datagrams.py')]

/** Payload of a datagram that just fits. */
const payloadIn = (mtu: number, { name }: Family): number => mtu - (name === 'IPv4' ? 28 : 48)

interface Asked {
  readonly sent: number
  readonly arrived: number
  readonly answered: number
}

interface Size {
  readonly send: number
  readonly answer: number
}

/** One question and its answer, which must not be cut; nor must the question, unless it is cuttable. */
async function ask(
  lab: Lab,
  { client, service }: Family,
  { send, answer }: Size,
  question: 'whole' | 'cuttable' = 'whole',
): Promise<Asked> {
  const argv = [...DATAGRAMS, 'ask', question, service, UDP_PORT, client(1), send, answer].map(String)
  return JSON.parse(await lab.client.run(argv)) as Asked
}

/** What the client's kernel says of a connection that has just been made. */
async function newConnection(lab: Lab, { url, service, client }: Family): Promise<string> {
  const agent = await lab.client.agent()
  await agent.get(`${url}/`, { from: client(1), connection: service })
  return lab.client.run(['ss', '-tinOH', 'dst', inUrl(service)])
}

/** A lab with one container, the daemon, and a server in the container that never lets a datagram be cut. */
const withPath = (options: LabOptions, use: (lab: Lab) => Promise<void>): Promise<void> =>
  withLab({ containers: 1, ...options }, async (lab) => {
    await serveDatagrams(lab)
    const daemon = await lab.startDaemon()
    await use(lab)
    await daemon.stop()
  })

async function serveDatagrams({ containers }: Lab): Promise<void> {
  for (const { namespace } of containers) {
    namespace.start([...DATAGRAMS, 'serve', String(UDP_PORT)])
    await namespace.untilListening('udp', UDP_PORT)
  }
}

async function transfer(lab: Lab, { url, client }: Family, way: 'upload' | 'download'): Promise<void> {
  const agent = await lab.client.agent()
  const { isEqual, bytes } = await agent[way](`${url}/bytes`, MANY, { from: client(1) })
  assert.deepEqual({ isEqual, bytes }, { isEqual: true, bytes: MANY })
}

/** Errors that say too big: who from, the next hop's MTU, and whom the packet was for that is too big. */
async function tooBig(file: string): Promise<readonly string[]> {
  const fields = ['ip.src', 'ip.dst', 'icmp.mtu', 'ipv6.src', 'ipv6.dst', 'icmpv6.mtu']
  const rows = await dissect(file, '(icmp.type == 3 && icmp.code == 4) || icmpv6.type == 2', fields)
  const told = rows.map(([src4, dst4, mtu4, src6, dst6, mtu6]) => {
    const [from] = (src4 || src6)!.split(',')
    const [, quoted] = (dst4 || dst6)!.split(',')
    return `${from} takes ${mtu4 || mtu6} for ${quoted}`
  })
  return [...new Set(told)].sort()
}

/** Of the errors, not of what they quote: that is as it was sent, often with a sum for the hardware to complete. */
async function assertSums(file: string): Promise<void> {
  const isBad = ['ip', 'icmp', 'icmpv6']
    .map((protocol) => `${protocol}.checksum.status == "Bad"`)
    .join(' || ')
  assert.deepEqual(await dissect(file, isBad, ['frame.number', '_ws.col.Info']), [])
  const { icmp, icmpv6 } = await goodChecksums(file)
  assert.ok(icmp! > 0 && icmpv6! > 0)
}

test('requests learn of a router behind the containers’ side that takes less', () =>
  withPath({ containerRouter: { mtu: NARROW } }, async (lab) => {
    const capture = await lab.capture(lab.client, 'eth0', 'icmp or icmp6')
    for (const family of FAMILIES) {
      await transfer(lab, family, 'upload')
      assert.equal(await lab.client.learntMtu(family.service), NARROW)
      assert.match(await newConnection(lab, family), / pmtu:1400 /)
      await lab.client.run(['ip', 'route', 'flush', 'cache'])
      const room = payloadIn(NARROW, family)
      const asked = await ask(lab, family, {
        send: payloadIn(WIDE, family),
        answer: payloadIn(WIDE, family),
      })
      assert.deepEqual(asked, { sent: room, arrived: room, answered: room })
      await transfer(lab, family, 'download')
    }
    await capture.stop()
    assert.deepEqual(
      await tooBig(capture.file),
      [PUBLIC6, PUBLIC].map((of) => `${of} takes ${NARROW} for ${of}`),
    )
    await assertSums(capture.file)
  }))

const NARROWED: Readonly<Record<string, (to: string) => readonly string[]>> = {
  'a route to the container': (to) => ['ip', 'route', 'add', to, 'dev', BRIDGE, 'mtu', String(NARROW)],
  'the bridge': () => ['ip', 'link', 'set', BRIDGE, 'mtu', String(NARROW)],
}

for (const [part, narrowing] of Object.entries(NARROWED))
  test(`requests learn that ${part} takes less than before`, () =>
    withPath({}, async (lab) => {
      const [container] = lab.containers
      for (const family of FAMILIES) {
        await transfer(lab, family, 'upload')
        assert.equal(await lab.client.learntMtu(family.service), undefined)
      }
      for (const family of FAMILIES) {
        await lab.host.run(narrowing(`${container![family.own]}/${family.name === 'IPv4' ? 32 : 128}`))
        // The daemon hears of it a little later.
        await untilTrue(async () => {
          await transfer(lab, family, 'upload')
          return (await lab.client.learntMtu(family.service)) === NARROW
        }, 'an MTU learnt')
      }
    }))

test('what the host itself asks learns of a router behind the containers’ side, too', () =>
  withPath({ containerRouter: { mtu: NARROW } }, async ({ host }) => {
    const agent = await host.agent()
    for (const { url, service } of FAMILIES) {
      const { isEqual } = await agent.upload(`${url}/bytes`, MANY)
      assert.ok(isEqual)
      assert.equal(await host.learntMtu(service), NARROW)
    }
  }))

test('a path that is narrow at both ends is as wide as its narrowest link', () =>
  withPath({ clientRouter: { mtu: 1300 }, containerRouter: { mtu: NARROW } }, async (lab) => {
    for (const family of FAMILIES) {
      for (const way of ['upload', 'download'] as const) await transfer(lab, family, way)
      const [room, wide] = [payloadIn(1300, family), payloadIn(WIDE, family)]
      const asked = await ask(lab, family, { send: wide, answer: wide })
      assert.deepEqual(asked, { sent: room, arrived: room, answered: room })
      assert.equal(await lab.containers[0]!.namespace.learntMtu(family.client(1)), 1300)
    }
  }))

test('answers learn of a router on the clients’ side that takes less', () =>
  withPath({ clientRouter: { mtu: NARROW } }, async (lab) => {
    await answersLearn(lab)
    for (const family of FAMILIES) await transfer(lab, family, 'upload')
  }))

test('answers learn of an uplink that takes less, from the host itself', () =>
  withPath({}, async (lab) => {
    await lab.host.script(`ip link set ${UPLINK} mtu ${NARROW}`)
    await answersLearn(lab)
  }))

async function answersLearn(lab: Lab): Promise<void> {
  const [container] = lab.containers
  const capture = await lab.capture(container!.namespace, 'eth0', 'icmp or icmp6')
  for (const family of FAMILIES) {
    await transfer(lab, family, 'download')
    assert.equal(await container!.namespace.learntMtu(family.client(1)), NARROW)
    await container!.namespace.run(['ip', 'route', 'flush', 'cache'])
    const room = payloadIn(NARROW, family)
    const asked = await ask(lab, family, { send: 100, answer: payloadIn(WIDE, family) })
    assert.deepEqual(asked, { sent: 100, arrived: 100, answered: room })
  }
  await capture.stop()
  const told = await tooBig(capture.file)
  assert.equal(told.length, 2)
  for (const line of told) assert.match(line, / takes 1400 for (198\.19\.0\.2|2001:db8:19::2)$/)
  await assertSums(capture.file)
}

const ELSEWHERE = { address: '10.79.0.12', address6: 'fd79::12' }

/** The host's second bridge, narrower than the first, and a container on it. */
async function moveToNarrowBridge({ host }: Lab, { port, namespace }: Container): Promise<void> {
  await host.script(`
ip -batch - <<END
link add br1 mtu ${NARROW} type bridge
addr add 10.79.0.1/16 dev br1
addr add fd79::1/64 dev br1
link set br1 up
link set ${port} nomaster mtu ${NARROW}
link set ${port} master br1
END`)
  await namespace.script(`
ip address flush dev eth0 scope global
ip -batch - <<END
link set eth0 mtu ${NARROW}
addr add ${ELSEWHERE.address}/16 dev eth0
addr add ${ELSEWHERE.address6}/64 dev eth0
route add default via 10.79.0.1 advmss 1460
route replace default via fd79::1 advmss 1440
END`)
}

/** Two containers, the second on the narrow bridge, where the first client's requests go. */
async function withTwoBridges(use: (lab: Lab, daemon: Daemon) => Promise<void>): Promise<void> {
  await withLab({ containers: 2 }, async (lab) => {
    const [, second] = lab.containers
    await moveToNarrowBridge(lab, second!)
    await serveDatagrams(lab)
    const { services, interfaces, ...config } = lab.config()
    const [first] = services[0]!.containers
    const service = { ...services[0]!, containers: [first, { name: 'c2', ...ELSEWHERE }], pins: PINS }
    const bridges = [...interfaces.bridges, 'br1']
    const daemon = await lab.startDaemon({
      config: { ...config, interfaces: { ...interfaces, bridges }, services: [service] },
    })
    await use(lab, daemon)
    await daemon.stop()
  })
}

/** The client that everything here is asked as goes to the second container, everyone else to the first. */
const PINS = FAMILIES.flatMap(({ client, name }) => [
  { source: `${client(1)}/${name === 'IPv4' ? 32 : 128}`, container: 'c2' },
  { source: name === 'IPv4' ? '0.0.0.0/0' : '::/0', container: 'c1' },
])

interface Status {
  readonly io: { readonly tunWrites: number; readonly bridgeWriteErrors: number }
}

test('a container on a narrow bridge is sent what fits it, one on a wide bridge what fits that', () =>
  withTwoBridges(async (lab, daemon) => {
    const capture = await lab.capture(lab.client, 'eth0', 'icmp or icmp6')
    const agent = await lab.client.agent()
    for (const family of FAMILIES) {
      const { isEqual } = await agent.upload(`${family.url}/bytes`, MANY, { from: family.client(2) })
      assert.ok(isEqual)
      assert.equal(await lab.client.learntMtu(family.service), undefined)
      await transfer(lab, family, 'upload')
      assert.equal(await lab.client.learntMtu(family.service), NARROW)
    }
    await capture.stop()
    assert.deepEqual(
      await tooBig(capture.file),
      [PUBLIC6, PUBLIC].map((of) => `${of} takes ${NARROW} for ${of}`),
    )
    await assertSums(capture.file)
    const before = (await daemon.status<Status>()).io
    assert.ok(before.tunWrites > 0)
    // What a device cuts into segments that fit, fits: 64 KB of TCP, 40 datagrams.
    for (const family of FAMILIES) {
      await transfer(lab, family, 'upload')
      const { service, client } = family
      const words = [service, UDP_PORT, client(1), payloadIn(NARROW, family), 40].map(String)
      assert.equal(Number(await lab.client.run([...DATAGRAMS, 'burst', ...words])), 40)
    }
    assert.deepEqual(await daemon.status<Status>().then(({ io }) => [io.tunWrites, io.bridgeWriteErrors]), [
      before.tunWrites,
      0,
    ])
  }))

test('a datagram that may be cut is cut for a narrow bridge', () =>
  withTwoBridges(async (lab) => {
    const [family] = FAMILIES
    const capture = await lab.capture(lab.containers[1]!.namespace, 'eth0')
    const send = payloadIn(WIDE, family!)
    assert.deepEqual(await ask(lab, family!, { send, answer: 10 }, 'cuttable'), {
      sent: send,
      arrived: send,
      answered: 10,
    })
    await capture.stop()
    const parts = await dissect(capture.file, 'ip.flags.mf == 1 || ip.frag_offset > 0', ['ip.dst', 'ip.ttl'])
    assert.deepEqual(parts, [
      [ELSEWHERE.address, '63'],
      [ELSEWHERE.address, '63'],
    ])
  }))

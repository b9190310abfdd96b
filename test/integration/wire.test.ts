/**
 * What stands on the wire at both ends, by the TUN and by the fast path. A sum that the hardware would complete looks wrong
 * in a capture, so each test has it completed before the capturing end: at the source, so that full sums pass through
 * onehop; or behind onehop, where the kernel completes whatever onehop left in the field.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import { badChecksums, dissect, goodChecksums } from '../support/lab/dissect.ts'
import { ping } from '../support/lab/ping.ts'
import { clientAddress, type Lab, PUBLIC, PUBLIC6, UPLINK, withLab } from '../support/lab.ts'

const TTL = 64
/** Of ICMPv6, what neighbours and multicast routers tell each other: it is from the link, not from the service. */
const LINK = 'icmpv6.type in {130..137, 143}'

/** A sum of zero the kernel completes to ffff, TCP's too, as good as zero (skb_checksum_help); tshark finds it wrong. */
const NO_ZERO = '!(tcp.checksum == 0xffff)'

const FROM_SERVICE = `(ip.src == ${PUBLIC} || ipv6.src == ${PUBLIC6})`

interface Captures {
  readonly client: string
  readonly container: string
}

type Mode = 'off' | 'require'

/** Runs `act` in a lab with one container, capturing at both far ends; `prepare` names the container's interface. */
async function withCaptures(
  fastpath: Mode,
  prepare: (lab: Lab) => Promise<string>,
  act: (lab: Lab) => Promise<void>,
  check: (captures: Captures) => Promise<void>,
): Promise<void> {
  await withLab({ containers: 1 }, async (lab) => {
    const interfaceName = await prepare(lab)
    const daemon = await lab.startDaemon({ config: { ...lab.config(), dataplane: { fastpath } } })
    const ends = [
      await lab.capture(lab.client, 'eth0'),
      await lab.capture(lab.containers[0]!.namespace, interfaceName),
    ] as const
    await act(lab)
    await Promise.all(ends.map((end) => end.stop()))
    await daemon.stop()
    await check({ client: ends[0].file, container: ends[1].file })
  })
}

/** Both ends complete the sums of what they send. */
async function withoutOffload(lab: Lab): Promise<string> {
  await lab.client.setOffload('eth0', { tx: false })
  await lab.containers[0]!.namespace.setOffload('eth0', { tx: false })
  return 'eth0'
}

/**
 * What the client gets is completed when it leaves the host. What the container gets stays partial where it comes from the
 * fast path, which puts it straight into eth0: so there a copy of everything goes out once more, to be completed.
 */
async function completedBehind(lab: Lab): Promise<string> {
  await lab.host.setOffload(UPLINK, { tx: false })
  const { namespace } = lab.containers[0]!
  await namespace.script(`
ip link add copy0 type veth peer name copy1
ip link set copy0 up
ip link set copy1 up
tc qdisc add dev eth0 clsact
tc filter add dev eth0 ingress protocol all u32 match u32 0 0 action mirred egress mirror dev copy0`)
  await namespace.setOffload('copy0', { tx: false })
  return 'copy1'
}

/** Everything that a client does with a service. */
async function useService(lab: Lab): Promise<void> {
  const agent = await lab.client.agent()
  for (const { service, url, client } of FAMILIES) {
    const from = client(1)
    await agent.get(`${url}/`, { from })
    for (const transfer of [
      await agent.download(`${url}/bytes`, 1_000_003, { from }),
      await agent.upload(`${url}/bytes`, 1_000_003, { from }),
    ])
      assert.ok(transfer.isEqual)
    for (const length of [1, 2, 1_001, 1_400]) await agent.udp(service, 53, 'x'.repeat(length), { from })
    await ping(lab.client, service, { from, bytes: 57 })
    await agent.connect(service, 81, { from })
    await assert.rejects(agent.udp(service, 54, 'x', { from }), { code: 'ECONNREFUSED' })
  }
}

async function checkWire({ client, container }: Captures): Promise<void> {
  for (const file of [client, container]) {
    assert.deepEqual(await badChecksums(file), [])
    const { ip = 0, tcp = 0, udp = 0 } = await goodChecksums(file)
    assert.ok(ip > 1_000 && tcp > 1_000 && udp >= 16, `looked at: ${JSON.stringify({ ip, tcp, udp })}`)
  }
  assert.deepEqual(await sourcesSeenBy(client), [PUBLIC6, PUBLIC])
  assert.deepEqual(await addressesAt(container, 'tcp || udp'), [
    '10.77.0.11',
    '198.19.0.2',
    '2001:db8:19::2',
    'fd77::11',
  ])
  for (const file of [client, container])
    assert.deepEqual(await receivedTtls(file, file === client ? 'dstport' : 'srcport'), [TTL - 1])
}

/** Every address that sent the client anything but link housekeeping. */
async function sourcesSeenBy(file: string): Promise<string[]> {
  const toClient = 'ip.dst == 198.18.0.0/15 || ipv6.dst == 2001:db8:19::/64 || ipv6.dst == 2001:db8:18::/64'
  const rows = await dissect(file, `(${toClient}) && !(${LINK})`, ['ip.src', 'ipv6.src'])
  return [...new Set(rows.map(([four, six]) => outermost(four) || outermost(six)))].sort()
}

/** An ICMP error quotes another header, whose fields tshark lists behind a comma. */
const outermost = (field = ''): string => field.split(',')[0]!

async function addressesAt(file: string, filter: string): Promise<string[]> {
  const rows = await dissect(file, filter, ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst'])
  return [...new Set(rows.flat().filter((address) => address !== ''))].sort()
}

/** Of forwarded packets; what onehop answers by itself starts with a TTL of its own. */
async function receivedTtls(file: string, side: 'srcport' | 'dstport'): Promise<number[]> {
  const port =
    side === 'dstport'
      ? 'tcp.srcport == 80 || udp.srcport == 53'
      : 'tcp.dstport == 8080 || udp.dstport == 5353'
  const rows = await dissect(file, `(${port}) && !icmp && !icmpv6`, ['ip.ttl', 'ipv6.hlim'])
  assert.ok(rows.length > 100)
  return [...new Set(rows.map(([four, six]) => Number(four || six)))]
}

for (const [mode, way] of [
  ['off', 'by the TUN'],
  ['require', 'by the fast path'],
] as const) {
  test(`${way}, sums that were complete at the source arrive complete and right, and nothing but the service answers`, () =>
    withCaptures(mode, withoutOffload, useService, checkWire))

  test(`${way}, sums that were partial at the source are completed to right ones behind onehop`, () =>
    withCaptures(mode, completedBehind, useService, async ({ client, container }) => {
      const bad = [
        // An error quotes the client's packet as it was sent, with its partial sum.
        ...(await badChecksums(
          client,
          `${FROM_SERVICE} && !(icmp.type == 3 || icmpv6.type == 1) && ${NO_ZERO}`,
        )),
        ...(await badChecksums(container, `(ip.dst == 10.77.0.11 || ipv6.dst == fd77::11) && ${NO_ZERO}`)),
      ]
      assert.deepEqual(bad, [])
      for (const file of [client, container]) assert.ok((await goodChecksums(file)).tcp! > 500)
    }))

  test(`${way}, a sum that was wrong at the source is as wrong at the container, and is found to be`, () =>
    withCaptures(mode, withoutOffload, sendWrongSum, async ({ client, container }) => {
      for (const file of [client, container])
        assert.equal((await badChecksums(file, 'udp.srcport == 4000 && !icmp')).length, 1)
    }))
}

async function sendWrongSum(lab: Lab): Promise<void> {
  const agent = await lab.client.agent()
  const from = clientAddress(1)
  for (let n = 0; n < 5; n++) await agent.udp(PUBLIC, 53, 'settles the source', { from })
  const packets = ['UDP(sport=4000, dport=53, chksum=0x1234)/b"wrong"', 'UDP(sport=4000, dport=53)/b"right"']
  const python = packets.map((packet) => `send(IP(src="${from}", dst="${PUBLIC}")/${packet})`)
  await lab.client.run(['/usr/bin/python3', '-'], {
    input: `from scapy.all import *\n${python.join('\n')}`,
  })
  // What is sent after them arrives after them.
  await agent.udp(PUBLIC, 53, 'after', { from })
}

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import { NO_OFFLOAD, type Offload } from '../../src/packet/offload.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES, Services } from '../support/engines.ts'
import { ACK, buildPacket, headersOf, type PacketFields, withRightSums } from '../support/packets.ts'

/** Which virtio-net headers (linux/virtio_net.h) are taken, and what becomes of a checksum that a device shall finish. */

const CLIENT4 = 'c6336407' as Address // 198.51.100.7
const CLIENT6 = `20010db80001${'0'.repeat(18)}07` as Address
const PUBLIC4 = 'cb00710a' as Address // 203.0.113.10
const PUBLIC6 = `20010db80053${'0'.repeat(18)}10` as Address
const CONTAINER4 = '0a4d000b' as Address // 10.77.0.11
const CONTAINER6 = `fd77${'0'.repeat(26)}11` as Address
const TCP = 6
const UDP = 17
const GRE = 47
const ICMP6 = 58
const SCTP = 132

/** VIRTIO_NET_HDR_GSO_*. */
const TCP4 = 1
const UFO = 3
const TCP6 = 4
const USO = 5

const SERVICES = `
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080, 53/udp->5353]
    containers: [{name: one, address: 10.77.0.11, address6: "fd77::11"}]
  - name: every
    addresses: [203.0.113.11]
    ports: all
    containers: [{name: two, address: 10.77.0.12}]
`
const SIZES = { capacity: 16, probation: 16, flows: 16, fragments: 16 }

const tcp4 = (fields: Partial<PacketFields> = {}): Uint8Array =>
  buildPacket({ source: CLIENT4, destination: PUBLIC4, protocol: TCP, flags: ACK, ...fields })
const tcp6 = (fields: Partial<PacketFields> = {}): Uint8Array =>
  buildPacket({ source: CLIENT6, destination: PUBLIC6, protocol: TCP, flags: ACK, ...fields })
const udp4 = (fields: Partial<PacketFields> = {}): Uint8Array =>
  tcp4({ protocol: UDP, destinationPort: 53, ...fields })
const toEvery = (protocol: number, payload: Uint8Array): Uint8Array =>
  tcp4({ destination: 'cb00710b' as Address, protocol, payload, destinationPort: 4789 })

const LONG = new Uint8Array(4000)
const EXTENSIONS = [
  [0, Uint8Array.from([0, 0, 1, 4, 0, 0, 0, 0])],
  [60, Uint8Array.from([0, 1, 1, 12, ...new Array(12).fill(0)])],
] as const

const checksumOffsetOf = (protocol: number): number => ({ [TCP]: 16, [UDP]: 6, [ICMP6]: 2 })[protocol] ?? 6

/** What the kernel says of a packet whose transport checksum is partial. */
function partial(packet: Uint8Array, more: Partial<Offload> = {}): Offload {
  const { protocol, end } = headersOf(packet)
  return {
    ...NO_OFFLOAD,
    needsChecksum: true,
    checksumStart: end,
    checksumOffset: checksumOffsetOf(protocol),
    ...more,
  }
}

const segments = (
  packet: Uint8Array,
  gsoType: number,
  gsoSize: number,
  more: Partial<Offload> = {},
): Offload => partial(packet, { gsoType, gsoSize, ...more })

/** An IPv4 header's worth of inner packet with a TCP header behind it: what a tunnel carries. */
const CARRIED = tcp4().subarray(0, 40)

const TAKEN: readonly (readonly [string, Uint8Array, (packet: Uint8Array) => Offload])[] = [
  ['no offload', tcp4(), () => NO_OFFLOAD],
  ['a partial TCP sum', tcp4(), partial],
  ['a partial UDP sum', udp4(), partial],
  ['a partial sum behind IPv4 options', tcp4({ options: new Uint8Array(40).fill(1) }), partial],
  ['a partial sum behind extension headers', tcp6({ extensions: EXTENSIONS }), partial],
  ['TCP segments', tcp4({ payload: LONG }), (packet) => segments(packet, TCP4, 1448)],
  ['TCP segments over IPv6', tcp6({ payload: LONG }), (packet) => segments(packet, TCP6, 1428)],
  [
    'TCP segments behind extension headers',
    tcp6({ payload: LONG, extensions: EXTENSIONS }),
    (packet) => segments(packet, TCP6, 1400),
  ],
  ['the smallest TCP segments of Linux', tcp4({ payload: LONG }), (packet) => segments(packet, TCP4, 8)],
  ['a single segment', tcp4({ payload: new Uint8Array(100) }), (packet) => segments(packet, TCP4, 1448)],
  ['UDP segments', udp4({ payload: LONG }), (packet) => segments(packet, USO, 1400)],
  ['UDP segments of one byte', udp4({ payload: new Uint8Array(128) }), (packet) => segments(packet, USO, 1)],
  ['a UDP datagram for fragments', udp4({ payload: LONG }), (packet) => segments(packet, UFO, 1480)],
  // Linux 6.18 writes these: the inner TCP of VXLAN, whose outer sum is complete.
  [
    'the partial sum of a packet in VXLAN',
    toEvery(UDP, LONG),
    (packet) => partial(packet, { checksumStart: 70, checksumOffset: 16 }),
  ],
  [
    'the partial sum of a packet in GRE',
    toEvery(GRE, CARRIED),
    (packet) => partial(packet, { checksumStart: 40, checksumOffset: 16 }),
  ],
]

const REFUSED: readonly (readonly [string, Uint8Array, (packet: Uint8Array) => Offload])[] = [
  [
    'a checksum that starts past the end',
    tcp4(),
    (packet) => partial(packet, { checksumStart: packet.length }),
  ],
  [
    'a checksum that ends one byte past the end',
    tcp4().subarray(0, 40),
    (packet) => partial(packet, { checksumStart: 23 }),
  ],
  ['a checksum in the padding', padded(tcp4()), (packet) => partial(packet, { checksumStart: 40 })],
  ['a checksum that starts in the IP header', tcp4(), (packet) => partial(packet, { checksumStart: 18 })],
  [
    'a checksum that starts within the TCP header',
    tcp4({ payload: LONG }),
    (packet) => partial(packet, { checksumStart: 22 }),
  ],
  [
    'a checksum that starts at the extension headers',
    tcp6({ extensions: EXTENSIONS }),
    (packet) => partial(packet, { checksumStart: 40 }),
  ],
  ["another protocol's checksum offset", udp4(), (packet) => partial(packet, { checksumOffset: 16 })],
  ['an odd checksum offset', tcp4(), (packet) => partial(packet, { checksumOffset: 15 })],
  ['offsets that overflow', tcp4(), (packet) => partial(packet, { checksumOffset: 65_535 })],
  ['a partial sum of SCTP', toEvery(SCTP, LONG), (packet) => partial(packet, { checksumOffset: 8 })],
  ['a partial sum of a fragment', udp4({ fragment: 0x2000 }), partial],
  ['a partial sum of a later fragment', udp4({ fragment: 0x2001, payload: LONG }), partial],
  [
    'segments of a fragment',
    udp4({ fragment: 0x2000, payload: LONG }),
    (packet) => segments(packet, USO, 1400),
  ],
  [
    'segments without a checksum to finish',
    tcp4({ payload: LONG }),
    () => ({ ...NO_OFFLOAD, gsoType: TCP4, gsoSize: 1448 }),
  ],
  ['segments of no size', tcp4({ payload: LONG }), (packet) => segments(packet, TCP4, 0)],
  ['TCP segments smaller than any', tcp4({ payload: LONG }), (packet) => segments(packet, TCP4, 7)],
  [
    'segments that differ (GSO_BY_FRAGS)',
    tcp4({ payload: LONG }),
    (packet) => segments(packet, TCP4, 65_535),
  ],
  ['segments without payload', tcp4(), (packet) => segments(packet, TCP4, 1448)],
  [
    'a TCP header longer than the packet',
    longHeader(tcp4({ payload: new Uint8Array(8) })),
    (packet) => segments(packet, TCP4, 8),
  ],
  [
    'more UDP segments than 8,192',
    udp4({ payload: new Uint8Array(8_193) }),
    (packet) => segments(packet, USO, 1),
  ],
  ['UDP segments of TCP', tcp4({ payload: LONG }), (packet) => segments(packet, USO, 1400)],
  [
    'TCP segments of UDP',
    udp4({ payload: LONG }),
    (packet) => segments(packet, TCP4, 1400, { checksumOffset: 6 }),
  ],
  ['segments of the other family', tcp6({ payload: LONG }), (packet) => segments(packet, TCP4, 1400)],
  ['an unknown kind of segments', tcp4({ payload: LONG }), (packet) => segments(packet, 2, 1400)],
  // VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4, which is never negotiated.
  ['segments in a UDP tunnel', udp4({ payload: LONG }), (packet) => segments(packet, USO | 0x20, 1400)],
  [
    'segments of a carried packet',
    toEvery(UDP, LONG),
    (packet) => segments(packet, TCP4, 1400, { checksumStart: 70, checksumOffset: 16 }),
  ],
]

function padded(packet: Uint8Array): Uint8Array {
  return Uint8Array.from([...packet, ...new Array(40).fill(0)])
}

/** Its data offset says 60 bytes. */
function longHeader(packet: Uint8Array): Uint8Array {
  const [start, long] = [headersOf(packet).end, packet.slice()]
  long[start + 12] = 0xf0
  return long
}

for (const [name, create] of ENGINES)
  describe(name, () => {
    const open = (): Engine => {
      const engine = create(SIZES)
      engine.publish(new Services().compile(SERVICES))
      return engine
    }
    const reasonOf = (packet: Uint8Array, offload: Offload): string =>
      REASONS[open().process(packet.slice(), 1, offload).code]!.join(' ')

    for (const [what, packet, offloadOf] of TAKEN)
      test(`takes ${what}`, () => assert.equal(reasonOf(packet, offloadOf(packet)), 'forward chosen'))

    for (const [what, packet, offloadOf] of REFUSED)
      test(`refuses ${what}`, () => assert.equal(reasonOf(packet, offloadOf(packet)), 'drop bad-offload'))

    test('a partial sum becomes the pseudo header sum of the new addresses, whatever the port', () => {
      for (const [packet, destination, destinationPort] of [
        [tcp4({ payload: LONG }), CONTAINER4, 8080],
        [udp4({ payload: LONG }), CONTAINER4, 5353],
        [tcp6({ payload: LONG, extensions: EXTENSIONS }), CONTAINER6, 8080],
      ] as const) {
        const sent = withPartialSum(packet)
        const { output } = open().process(sent, 1, partial(sent))
        const [at, length] = destination === CONTAINER4 ? [16, 4] : [24, 16]
        const expected = packet.slice()
        expected.set(Buffer.from(destination, 'hex'), at)
        new DataView(expected.buffer).setUint16(headersOf(packet).end + 2, destinationPort)
        assert.equal(length * 2, destination.length)
        assert.deepEqual(hex(output!), hex(withPartialSum(withRightSums(expected))))
      }
    })

    test("a carrier's sum is complete while that of what it carries is partial", () => {
      const packet = toEvery(UDP, LONG)
      const { output } = open().process(
        packet.slice(),
        1,
        partial(packet, { checksumStart: 70, checksumOffset: 16 }),
      )
      const expected = packet.slice()
      expected.set([10, 77, 0, 12], 16)
      assert.deepEqual(hex(output!), hex(withRightSums(expected)))
    })

    // RFC 4443 section 2.3: ICMPv6 has a pseudo header, so its sum can be partial.
    test('an echo reply is complete though its request is partial', () => {
      const echo = (type: number, ends: Pick<PacketFields, 'source' | 'destination'>) =>
        buildPacket({ ...ends, protocol: ICMP6, type, payload: Uint8Array.from([0, 7, 0, 1, 0xff]) })
      const request = withPartialSum(echo(128, { source: CLIENT6, destination: PUBLIC6 }))
      const { code, output } = open().process(request, 1, partial(request))
      const expected = echo(129, { source: PUBLIC6, destination: CLIENT6 })
      expected[7] = 64 // the hop limit of what onehop says itself
      assert.equal(REASONS[code]!.join(' '), 'answer echo')
      assert.deepEqual(hex(output!), hex(withRightSums(expected)))
    })
  })

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The packet with the folded sum of its pseudo header, not complemented, in the place of its checksum. */
function withPartialSum(packet: Uint8Array): Uint8Array {
  const { protocol, end } = headersOf(packet)
  const [partial, view] = [packet.slice(), new DataView(packet.buffer)]
  const [from, to] = packet[0]! >> 4 === 4 ? [12, 20] : [8, 40]
  let sum = protocol + packet.length - end
  for (let at = from; at < to; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  new DataView(partial.buffer).setUint16(end + checksumOffsetOf(protocol), sum)
  return partial
}

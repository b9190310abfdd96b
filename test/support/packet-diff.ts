/**
 * Two packets of bytes, and where they differ by the names of the header fields. The offsets are the RFCs' (791, 8200,
 * 9293, 768, 792, 4443), written down once more here: what finds faults in src/packet must not share them.
 */
interface Field {
  readonly name: string
  readonly from: number
  readonly to: number
}

const IPV4_FIELDS = fieldsAt(0, [
  ['version and IHL', 1],
  ['type of service', 1],
  ['total length', 2],
  ['identification', 2],
  ['flags and fragment offset', 2],
  ['time to live', 1],
  ['protocol', 1],
  ['header checksum', 2],
  ['source address', 4],
  ['destination address', 4],
])

const IPV6_FIELDS = fieldsAt(0, [
  ['version, class and flow label', 4],
  ['payload length', 2],
  ['next header', 1],
  ['hop limit', 1],
  ['source address', 16],
  ['destination address', 16],
])

const ICMP_LAYOUT: Layout = [
  ['ICMP type', 1],
  ['ICMP code', 1],
  ['ICMP checksum', 2],
  ['ICMP rest of header', 4],
]

const UDP_LAYOUT: Layout = [
  ['source port', 2],
  ['destination port', 2],
  ['UDP length or coverage', 2],
  ['UDP checksum', 2],
]

const TRANSPORT_LAYOUTS: Readonly<Record<number, Layout>> = {
  1: ICMP_LAYOUT,
  58: ICMP_LAYOUT,
  6: [
    ['source port', 2],
    ['destination port', 2],
    ['sequence number', 4],
    ['acknowledgment number', 4],
    ['data offset', 1],
    ['TCP flags', 1],
    ['window', 2],
    ['TCP checksum', 2],
    ['urgent pointer', 2],
  ],
  17: UDP_LAYOUT,
  136: UDP_LAYOUT,
  44: [
    ['next header behind the fragment header', 1],
    ['reserved', 1],
    ['fragment offset', 2],
    ['fragment identification', 4],
  ],
}

type Layout = readonly (readonly [name: string, length: number])[]

function fieldsAt(start: number, layout: Layout): Field[] {
  let at = start
  return layout.map(([name, length]) => {
    const from = at
    at += length
    return { name, from, to: at }
  })
}

/** Lines that say how `actual` differs from `expected`, field by field; none when the bytes are equal. */
export function describeDifference(actual: Uint8Array, expected: Uint8Array): string[] {
  const end = Math.max(actual.length, expected.length)
  const lines = fieldsOf(expected, end)
    .filter(({ from, to }) => hex(actual, from, to) !== hex(expected, from, to))
    .map((field) => describeField(field, actual, expected))
  if (actual.length === expected.length) return lines
  return [`length: expected ${expected.length} bytes, got ${actual.length}`, ...lines]
}

function fieldsOf(packet: Uint8Array, end: number): Field[] {
  const version = (packet[0] ?? 0) >> 4
  if (version !== 4 && version !== 6) return [{ name: 'bytes', from: 0, to: end }]
  const headerLength = version === 4 ? (packet[0]! & 15) * 4 : 40
  const fields = version === 4 ? IPV4_FIELDS : IPV6_FIELDS
  const options = { name: 'IPv4 options', from: fields.at(-1)!.to, to: headerLength }
  const transport = fieldsAt(headerLength, TRANSPORT_LAYOUTS[packet[version === 4 ? 9 : 6]!] ?? [])
  const payload = { name: 'payload', from: transport.at(-1)?.to ?? headerLength, to: end }
  return [...fields, options, ...transport, payload]
}

function describeField({ name, from, to }: Field, actual: Uint8Array, expected: Uint8Array): string {
  let at = from
  while (at < to - 1 && actual[at] === expected[at]) at++
  const until = Math.min(to, at + 16)
  const more = until < to ? ' …' : ''
  return `${name} at byte ${at}: expected ${hex(expected, at, until)}${more}, got ${hex(actual, at, until)}${more}`
}

const hex = (bytes: Uint8Array, from: number, to: number): string =>
  Array.from(bytes.subarray(from, to), (byte) => byte.toString(16).padStart(2, '0')).join(' ') || 'nothing'

import { type Address, formatAddress } from '../address.ts'
import { load16 } from './bytes.ts'
import { IPV4 } from './ipv4.ts'
import { followHeaders, IPV6 } from './ipv6.ts'
import { readAddress } from './packet.ts'

const NAMES: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  33: 'DCCP',
  44: 'fragment',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  132: 'SCTP',
  136: 'UDP-Lite',
}
const [ICMP, TCP, ICMP6] = [1, 6, 58]
const WITH_PORTS = [6, 17, 33, 132, 136]
const FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR']
const TCP_FLAGS = 13

interface Network {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  /** Where the transport header begins; undefined: it is not here. */
  readonly transport: number | undefined
}

/**
 * One line about a packet of which perhaps only the beginning is there, or which is none: `198.51.100.7:40000 >
 * 203.0.113.10:80 TCP SYN, 60 bytes`. `length`: of all of it. Nothing but numbers and words of ours.
 */
export function summarizePacket(bytes: Uint8Array, length: number): string {
  const network = networkOf(bytes)
  if (network === undefined) return `no IP packet, ${length} bytes`
  const { source, destination, protocol, transport } = network
  const [from, to] = portsOf(bytes, network)
  const ends = `${formatEnd(source, from)} > ${formatEnd(destination, to)}`
  const name = NAMES[protocol] ?? `protocol ${protocol}`
  const more = transport === undefined ? ' fragment' : detailOf(bytes, protocol, transport)
  return `${ends} ${name}${more}, ${length} bytes`
}

function networkOf(bytes: Uint8Array): Network | undefined {
  const version = (bytes[0] ?? 0) >> 4
  if (version === 4 && bytes.length >= 20) return network4(bytes)
  return version === 6 && bytes.length >= IPV6.length ? network6(bytes) : undefined
}

function network4(bytes: Uint8Array): Network {
  const isLater = (load16(bytes, IPV4.fragment) & 0x1fff) !== 0
  return {
    source: readAddress(bytes, IPV4.source, 4),
    destination: readAddress(bytes, IPV4.destination, 4),
    protocol: bytes[IPV4.protocol]!,
    transport: isLater ? undefined : (bytes[0]! & 0xf) * 4,
  }
}

function network6(bytes: Uint8Array): Network {
  const chain = followHeaders(bytes, bytes.length)
  return {
    source: readAddress(bytes, IPV6.source, 16),
    destination: readAddress(bytes, IPV6.destination, 16),
    protocol: chain?.protocol ?? bytes[IPV6.nextHeader]!,
    transport: chain?.isLaterFragment ? undefined : (chain?.transport ?? bytes.length),
  }
}

function portsOf(bytes: Uint8Array, { protocol, transport }: Network): readonly number[] {
  if (transport === undefined || !WITH_PORTS.includes(protocol) || transport + 4 > bytes.length) return []
  return [load16(bytes, transport), load16(bytes, transport + 2)]
}

function formatEnd(address: Address, port: number | undefined): string {
  const text = formatAddress(address)
  if (port === undefined) return text
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`
}

function detailOf(bytes: Uint8Array, protocol: number, transport: number): string {
  if (protocol === TCP && transport + TCP_FLAGS < bytes.length)
    return ` ${FLAGS.filter((_, bit) => bytes[transport + TCP_FLAGS]! & (1 << bit)).join(' ')}`.trimEnd()
  if ((protocol === ICMP || protocol === ICMP6) && transport + 2 <= bytes.length)
    return ` type ${bytes[transport]} code ${bytes[transport + 1]}`
  return ''
}

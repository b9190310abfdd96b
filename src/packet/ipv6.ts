import { load16, load32 } from './bytes.ts'
import { startsWithinHeader } from './transport.ts'

/** IPv6 header (RFC 8200 section 3): byte offsets. */
export const IPV6 = {
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  length: 40,
} as const

/** Extension headers (RFC 8200 section 4) that are followed to the one behind them. */
const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const DESTINATION_OPTIONS = 60

/** Byte offsets from an extension header's start; lengths count units of eight bytes behind the first eight. */
const EXTENSION = { nextHeader: 0, length: 1, segmentsLeft: 3, unit: 8 } as const

/** Fragment header (RFC 8200 section 4.5): byte offsets from its start. */
const IPV6_FRAGMENT = { fragment: 2, identification: 4 } as const

/** In the 16 bits at `fragment`. */
const IPV6_FRAGMENT_OFFSET = 0xfff8
const IPV6_MORE_FRAGMENTS = 0x0001

/** So many are followed: each kind once, destination options twice (RFC 8200 section 4.1), with room to spare. */
const HEADERS_FOLLOWED = 8

/** "No next header": nothing follows that means anything (RFC 8200 section 4.7). */
export const IPV6_NOTHING = 59

/** Whether a next header, found at the end of a chain that was followed, still is an extension header. */
export const isExtension = (nextHeader: number): boolean =>
  nextHeader === HOP_BY_HOP ||
  nextHeader === ROUTING ||
  nextHeader === FRAGMENT ||
  nextHeader === DESTINATION_OPTIONS

/** Payload length 0 in front of a hop-by-hop header: the length stands in there (RFC 2675 section 2), or it is wrong. */
export const isJumbogram = (bytes: Uint8Array): boolean =>
  load16(bytes, IPV6.payloadLength) === 0 && bytes[IPV6.nextHeader] === HOP_BY_HOP

/** What the extension headers say, and what follows them. */
export interface HeaderChain {
  /**
   * The upper-layer protocol; an extension header where the chain was not followed to its end: behind too many, behind
   * a second fragment header, at a hop-by-hop header that is not the first, and in later fragments.
   */
  readonly protocol: number
  /** Where the field is that names it. */
  readonly protocolAt: number
  /** Where it starts. */
  readonly transport: number
  readonly isFragment: boolean
  readonly isLaterFragment: boolean
  /** Of the fragment header; 0 without one. */
  readonly identification: number
  /** A routing header has segments left. */
  readonly isRouted: boolean
}

/**
 * Follows the headers of a packet that ends at `end`; undefined when one of them does not end before that, or the packet is
 * a fragment that starts within one.
 */
export function followHeaders(bytes: Uint8Array, end: number): HeaderChain | undefined {
  const chain = {
    protocol: bytes[IPV6.nextHeader]!,
    protocolAt: IPV6.nextHeader as number,
    transport: IPV6.length as number,
    isFragment: false,
    isLaterFragment: false,
    identification: 0,
    isRouted: false,
  }
  let hasFragmentHeader = false
  for (let followed = 0; followed < HEADERS_FOLLOWED && isExtension(chain.protocol); followed++) {
    const { protocol, transport } = chain
    if (protocol === HOP_BY_HOP && followed > 0) break
    if (protocol === FRAGMENT && hasFragmentHeader) break
    if (transport + EXTENSION.unit > end) return undefined
    const units = protocol === FRAGMENT ? 0 : bytes[transport + EXTENSION.length]!
    chain.protocolAt = transport + EXTENSION.nextHeader
    chain.protocol = bytes[chain.protocolAt]!
    chain.transport = transport + (units + 1) * EXTENSION.unit
    if (chain.transport > end) return undefined
    if (protocol === ROUTING && bytes[transport + EXTENSION.segmentsLeft] !== 0) chain.isRouted = true
    if (protocol === FRAGMENT) {
      const fragment = load16(bytes, transport + IPV6_FRAGMENT.fragment)
      hasFragmentHeader = true
      chain.isFragment = (fragment & (IPV6_FRAGMENT_OFFSET | IPV6_MORE_FRAGMENTS)) !== 0
      chain.isLaterFragment = (fragment & IPV6_FRAGMENT_OFFSET) !== 0
      chain.identification = load32(bytes, transport + IPV6_FRAGMENT.identification)
      if (startsWithinHeader(chain.protocol, fragment & IPV6_FRAGMENT_OFFSET)) return undefined
      if (chain.isLaterFragment) break
    }
  }
  return chain
}

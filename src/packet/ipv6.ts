/** IPv6 header (RFC 8200 section 3): byte offsets. */
export const IPV6 = {
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  length: 40,
} as const

/** Fragment header (RFC 8200 section 4.5): byte offsets from its start. */
export const IPV6_FRAGMENT = { protocol: 44, nextHeader: 0, fragment: 2, length: 8 } as const

/** In the 16 bits at `fragment`. */
export const IPV6_FRAGMENT_OFFSET = 0xfff8
export const IPV6_MORE_FRAGMENTS = 0x0001

/** The other extension headers (IANA registry), and 59, behind which nothing follows (RFC 8200 section 4.7). */
const WITHOUT_TRANSPORT: ReadonlySet<number> = new Set([0, 43, 51, 59, 60, 135, 139, 140])

/** Whether no transport header can be read behind this next header. */
export const hidesTransport = (nextHeader: number): boolean => WITHOUT_TRANSPORT.has(nextHeader)

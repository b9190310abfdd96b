/** IPv4 header (RFC 791 section 3.1): byte offsets. */
export const IPV4 = {
  typeOfService: 1,
  totalLength: 2,
  identification: 4,
  fragment: 6,
  timeToLive: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  minimumLength: 20,
} as const

/** In the 16 bits at `fragment`. */
export const IPV4_DONT_FRAGMENT = 0x4000
export const IPV4_MORE_FRAGMENTS = 0x2000
export const IPV4_FRAGMENT_OFFSET = 0x1fff

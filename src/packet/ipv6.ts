/** IPv6 header (RFC 8200 section 3): byte offsets. */
export const IPV6 = {
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  length: 40,
} as const

export const IPV6_FRAGMENT_HEADER = 44

/** Next-header values that are extension headers (IANA registry), the fragment header apart. */
const EXTENSION_HEADERS: ReadonlySet<number> = new Set([0, 43, 51, 60, 135, 139, 140])

export const isExtensionHeader = (nextHeader: number): boolean => EXTENSION_HEADERS.has(nextHeader)

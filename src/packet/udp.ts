/** UDP header (RFC 768): byte offsets. UDP-Lite (RFC 3828) keeps ports and checksum in the same places. */
export const UDP = {
  protocol: 17,
  sourcePort: 0,
  destinationPort: 2,
  length: 4,
  checksum: 6,
  headerLength: 8,
} as const

export const UDP_LITE = 136

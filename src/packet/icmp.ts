/** ICMP (RFC 792) and ICMPv6 (RFC 4443): the header both share, and the types onehop reads or writes. */
export const ICMP = { type: 0, code: 1, checksum: 2, identifier: 4, pointer: 4, headerLength: 8 } as const

export const ICMP4 = {
  protocol: 1,
  echoReply: 0,
  /** Unreachable, time exceeded, parameter problem. */
  errors: [3, 11, 12] as readonly number[],
  unreachable: 3,
  echoRequest: 8,
  codeHost: 1,
  codeProtocol: 2,
  codePort: 3,
  codeProhibited: 13,
} as const

export const ICMP6 = {
  protocol: 58,
  unreachable: 1,
  /** Unreachable, packet too big, time exceeded, parameter problem. */
  errors: [1, 2, 3, 4] as readonly number[],
  echoRequest: 128,
  echoReply: 129,
  codeProhibited: 1,
  codeHost: 3, // "address unreachable"
  codePort: 4,
  parameterProblem: 4,
  codeNextHeader: 1,
} as const

export const icmpProtocol = (version: 4 | 6): number => (version === 4 ? ICMP4.protocol : ICMP6.protocol)

import type { Address } from '../address.ts'

/**
 * How nft finds ICMP errors about requests, whoever made them: by the address that the quoted packet went to. It has no
 * words for a quoted header, so these are bits behind the ICMP header's start, compared as numbers.
 */

/** Of an error's type; the host's other ICMP is not looked at further. */
export const ERRORS4 = 'destination-unreachable, time-exceeded, parameter-problem'
export const ERRORS6 = 'destination-unreachable, packet-too-big, time-exceeded, parameter-problem'

/** Behind 8 bytes of ICMP (RFC 792, RFC 4443), byte 16 of an IPv4 header, byte 24 of an IPv6 header. */
const DESTINATION4 = '@th,192,32'
/** In words: nft's JSON has no longer number. */
const DESTINATION6 = '@th,256,32 . @th,288,32 . @th,320,32 . @th,352,32'

export const ERRORS_ABOUT_REQUESTS = `icmp type { ${ERRORS4} } ${DESTINATION4} @quoted4`
export const ERRORS_ABOUT_REQUESTS6 = `icmpv6 type { ${ERRORS6} } ${DESTINATION6} @quoted6`

export const QUOTED_SETS = { quoted4: `typeof ${DESTINATION4}`, quoted6: `typeof ${DESTINATION6}` } as const

export const isQuotedSet = (name: string): boolean => name in QUOTED_SETS

/** An address as an element of such a set. */
export const quotedElement = (address: Address): string =>
  address.replace(/.{8}(?=.)/g, '$& . ').replace(/\w+/g, '0x$&')

/** A word of such an element as nft's JSON has it. */
export const quotedWord = (word: unknown): string => `0x${Number(word).toString(16).padStart(8, '0')}`

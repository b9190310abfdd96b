/**
 * An IP address in the form every part of onehop passes around: its bytes in network order as lower-case
 * hex, 8 digits for IPv4 and 32 for IPv6. It is a plain string, so it serves as a Map key, its length tells
 * the family, and the same text names the same address everywhere.
 */
export type Address = string & { readonly __brand: 'Address' }

export const isAddress4 = (address: Address): boolean => address.length === 8

/** Bits of the address's family: 32 or 128. */
export const addressBits = (address: Address): number => address.length * 4

/** How many bits of a source count, by its family. */
export interface PrefixLengths {
  readonly prefix4: number
  readonly prefix6: number
}

export const lengthOf = (address: Address, { prefix4, prefix6 }: PrefixLengths): number =>
  isAddress4(address) ? prefix4 : prefix6

/** The address with every bit after `length` cleared. */
export function maskAddress(address: Address, length: number): Address {
  if (length >= addressBits(address)) return address
  const whole = length >> 2
  const rest = length & 3
  const kept = address.slice(0, whole)
  const partial = rest === 0 ? '' : (Number.parseInt(address[whole]!, 16) & (0xf0 >> rest) & 0xf).toString(16)
  return (kept + partial).padEnd(address.length, '0') as Address
}

/** An address and how many of its leading bits count; every bit after them is zero. */
export interface Prefix {
  readonly address: Address
  readonly length: number
}

export const covers = ({ address: prefix, length }: Prefix, address: Address): boolean =>
  prefix.length === address.length && maskAddress(address, length) === prefix

/** The first `length` bits of one address, followed by the rest of another of its family. */
export function joinAddresses(leading: Address, length: number, rest: Address): Address {
  const whole = length >> 2
  if (whole === rest.length) return leading
  const mask = 0xf >> (length & 3)
  const digit = (nibble(leading, whole) & ~mask) | (nibble(rest, whole) & mask)
  return (leading.slice(0, whole) + digit.toString(16) + rest.slice(whole + 1)) as Address
}

/** Each part of the addresses that prefixes cover once, in order: those that another one covers are left out. */
export function distinctPrefixes(prefixes: readonly Prefix[]): readonly Prefix[] {
  const kept: Prefix[] = []
  for (const prefix of prefixes.toSorted(comparePrefixes)) {
    const last = kept.at(-1)
    if (last === undefined || !covers(last, prefix.address)) kept.push(prefix)
  }
  return kept
}

/** A prefix stands before those it covers. */
export const comparePrefixes = (a: Prefix, b: Prefix): number =>
  a.address.length - b.address.length ||
  (a.address < b.address ? -1 : a.address > b.address ? 1 : a.length - b.length)

/** The text people read: dotted quads, or IPv6 in RFC 5952's form. */
export function formatAddress(address: Address): string {
  return isAddress4(address) ? formatAddress4(address) : formatAddress6(address)
}

export const formatPrefix = ({ address, length }: Prefix): string => `${formatAddress(address)}/${length}`

/** What stands for an address of which so many bits count: `198.51.100.0/24`, the address alone where all of them do. */
export const formatSource = (address: Address, length = addressBits(address)): string =>
  length < addressBits(address)
    ? formatPrefix({ address: maskAddress(address, length), length })
    : formatAddress(address)

function formatAddress4(address: string): string {
  return [0, 2, 4, 6].map((at) => Number.parseInt(address.slice(at, at + 2), 16)).join('.')
}

function formatAddress6(address: string): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number.parseInt(address.slice(i * 4, i * 4 + 4), 16))
  const gap = longestZeroRun(groups)
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return gap.length < 2 ? text(0, 8) : `${text(0, gap.start)}::${text(gap.start + gap.length, 8)}`
}

/** RFC 5952 section 4.2: the first of the longest runs of zero groups is the one to shorten. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0) end++
    if (end - start > best.length) best = { start, length: end - start }
  }
  return best
}

/** The address's bytes in network order: 4 or 16. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(address.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (nibble(address, i * 2) << 4) | nibble(address, i * 2 + 1)
  return bytes
}

/** '0'–'9' are 0x30–0x39, 'a'–'f' 0x61–0x66. */
function nibble(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code < 0x3a ? code - 0x30 : code - 0x57
}

/** 16 bytes for either family, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2): the form that is hashed. */
export function mappedBytes(address: Address): Uint8Array {
  if (!isAddress4(address)) return addressBytes(address)
  const bytes = new Uint8Array(16)
  bytes.set([0xff, 0xff], 10)
  bytes.set(addressBytes(address), 12)
  return bytes
}

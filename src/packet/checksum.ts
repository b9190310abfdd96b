import { load16 } from './bytes.ts'

/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624). A `sum` is a plain number of
 * 16-bit words added up, not complemented; `fold` brings it back to 16 bits with end-around carry.
 */

/** Sum of `bytes[start, end)`; an odd last byte counts as the high half of a word (RFC 1071 section 4.1). */
export function sumOf(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0
  for (let at = start; at + 1 < end; at += 2) sum += load16(bytes, at)
  return (end - start) % 2 === 1 ? sum + (bytes[end - 1]! << 8) : sum
}

export function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000)
  return folded
}

/** What the checksum field holds for data that sums to `sum`. */
export const checksumOf = (sum: number): number => ~fold(sum) & 0xffff

/** What replacing `before` by `after` (same even length) adds to a sum: ~m + m' of RFC 1624 equation 3. */
export function sumDelta(before: Uint8Array, after: Uint8Array): number {
  let delta = 0
  for (let at = 0; at < before.length; at += 2) delta += (~load16(before, at) & 0xffff) + load16(after, at)
  return fold(delta)
}

export const wordDelta = (before: number, after: number): number => fold((~before & 0xffff) + after)

/** RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). A wrong checksum stays wrong by the same difference. */
export const updateChecksum = (checksum: number, delta: number): number =>
  checksumOf((~checksum & 0xffff) + delta)

/** The same for a partial sum: a pseudo header's, not complemented, for a device to finish. */
export const updatePartialSum = (sum: number, delta: number): number => fold(sum + delta)

/** Sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) over addresses of either family. */
export function pseudoHeaderSum(addresses: Uint8Array, protocol: number, transportLength: number): number {
  return (
    sumOf(addresses, 0, addresses.length) + protocol + (transportLength >>> 16) + (transportLength & 0xffff)
  )
}

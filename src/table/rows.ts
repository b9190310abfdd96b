import { type Address, isAddress4, mappedBytes } from '../address.ts'
import type { SourceKey } from './source.ts'
import type { Entry, Origin } from './table.ts'

/**
 * Entries many at a time, as they cross to C++ and into the store: one after another in little-endian words, as
 * native/src/table/row.h has them.
 *
 * | words | field |
 * | --- | --- |
 * | 0–3 | source, 16 bytes in network order, IPv4 as ::ffff:a.b.c.d |
 * | 4 | scope, and in the lowest bit whether the source is IPv6 |
 * | 5 | container, and in the two highest bits the position in ORIGINS |
 * | 6, 7 | since and seen: seconds, negative before the clock's zero |
 * | 8 | packets |
 * | 9 | 0; of a change, where the source was before (0: it had no entry), and in the two lowest bits whether there is no entry any more, because it was idle or otherwise: nothing else but its key is valid then |
 * | 10, 11 | bytes, the low word first |
 */
export type Rows = Uint32Array

export const ROW_WORDS = 12
export const ROW_BYTES = ROW_WORDS * 4
const ORIGINS: readonly Origin[] = ['pinned', 'assigned', 'restored']
const CONTAINER_BITS = 30
const GONE = 1
const IDLE = 2
const FORMER_SHIFT = 2
/** What word 5 holds of the origin of a restored entry. */
export const RESTORED = ORIGINS.indexOf('restored') * 2 ** CONTAINER_BITS

export const rowCount = (rows: Rows): number => rows.length / ROW_WORDS

export const makeRows = (count: number): Rows => new Uint32Array(count * ROW_WORDS)

/** The rows from number `start` to before `end`, not copied. */
export const sliceRows = (rows: Rows, start: number, end: number): Rows =>
  rows.subarray(start * ROW_WORDS, end * ROW_WORDS)

export const isGone = (rows: Rows, row: number): boolean => (rows[row * ROW_WORDS + 9]! & GONE) !== 0

/** Of one that is gone: nobody said so. */
export const wasIdle = (rows: Rows, row: number): boolean => (rows[row * ROW_WORDS + 9]! & IDLE) !== 0

/** Of a change: the container before, 0 for none. */
export const formerOf = (rows: Rows, row: number): number => rows[row * ROW_WORDS + 9]! >>> FORMER_SHIFT

/** Scope and family: word 4. */
export const scopeWordOf = (rows: Rows, row: number): number => rows[row * ROW_WORDS + 4]!

export const scopeOf = (rows: Rows, row: number): number => rows[row * ROW_WORDS + 4]! >>> 1

export const containerOf = (rows: Rows, row: number): number =>
  rows[row * ROW_WORDS + 5]! & (2 ** CONTAINER_BITS - 1)

/** Whether two rows are of one source in one scope. */
export function isSameKey(a: Rows, rowOfA: number, b: Rows, rowOfB: number): boolean {
  for (let word = 0; word < 5; word++)
    if (a[rowOfA * ROW_WORDS + word] !== b[rowOfB * ROW_WORDS + word]) return false
  return true
}

export const originOf = (rows: Rows, row: number): Origin =>
  ORIGINS[rows[row * ROW_WORDS + 5]! >>> CONTAINER_BITS]!

export const sinceOf = (rows: Rows, row: number): number => rows[row * ROW_WORDS + 6]! | 0

export const seenOf = (rows: Rows, row: number): number => rows[row * ROW_WORDS + 7]! | 0

export const packetsOf = (rows: Rows, row: number): number => rows[row * ROW_WORDS + 8]!

/** Beyond 2^53 no longer exact. */
export const bytesOf = (rows: Rows, row: number): number =>
  rows[row * ROW_WORDS + 10]! + rows[row * ROW_WORDS + 11]! * 2 ** 32

/** `made`: a source on probation has proved that it exists; `repinned`: the same container for another reason; `put`: restored or imported. */
export type TableChange = 'made' | 'moved' | 'repinned' | 'put' | 'idle' | 'forgotten'

/** What happened to the entry of a row that is a change. */
export function changeOf(rows: Rows, row: number): TableChange {
  const former = formerOf(rows, row)
  if (isGone(rows, row)) return wasIdle(rows, row) ? 'idle' : 'forgotten'
  if (former !== 0 && former !== containerOf(rows, row)) return 'moved'
  if (originOf(rows, row) === 'restored') return 'put'
  return former === 0 ? 'made' : 'repinned'
}

export function sourceOf(rows: Rows, row: number): Address {
  const at = row * ROW_WORDS
  const isV6 = (rows[at + 4]! & 1) === 1
  let text = isV6 ? '' : hexOf(rows[at + 3]!)
  if (isV6) for (let word = 0; word < 4; word++) text += hexOf(rows[at + word]!)
  return text as Address
}

/** A word of an address: its bytes lie in network order. */
const hexOf = (word: number): string => swap32(word).toString(16).padStart(8, '0')

const swap32 = (word: number): number =>
  ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word & 0xff00) << 8) | (word << 24)) >>> 0

export const entryOf = (rows: Rows, row: number): SourceKey & Entry => ({
  scope: scopeOf(rows, row),
  source: sourceOf(rows, row),
  container: containerOf(rows, row),
  origin: originOf(rows, row),
  sinceSeconds: sinceOf(rows, row),
  seenSeconds: seenOf(rows, row),
  packets: packetsOf(rows, row),
  bytes: bytesOf(rows, row),
})

/** `former`: of a change. */
export function writeEntry(rows: Rows, row: number, entry: SourceKey & Entry, former = 0): void {
  const at = row * ROW_WORDS
  writeKey(rows, row, entry)
  rows[at + 5] = entry.container | (ORIGINS.indexOf(entry.origin) << CONTAINER_BITS)
  rows[at + 6] = entry.sinceSeconds
  rows[at + 7] = entry.seenSeconds
  rows[at + 8] = entry.packets
  rows[at + 9] = former * 2 ** FORMER_SHIFT
  rows[at + 10] = entry.bytes
  rows[at + 11] = entry.bytes / 2 ** 32
}

/** A row that says that the key has no entry any more; or, without a former container, that asks for one. */
export function writeGone(rows: Rows, row: number, key: SourceKey, former = 0, isIdle = false): void {
  writeKey(rows, row, key)
  rows.fill(0, row * ROW_WORDS + 5, (row + 1) * ROW_WORDS)
  rows[row * ROW_WORDS + 9] = former * 2 ** FORMER_SHIFT + (isIdle ? IDLE : 0) + GONE
}

function writeKey(rows: Rows, row: number, { scope, source }: SourceKey): void {
  const view = new DataView(mappedBytes(source).buffer)
  for (let word = 0; word < 4; word++) rows[row * ROW_WORDS + word] = view.getUint32(word * 4, true)
  rows[row * ROW_WORDS + 4] = scope * 2 + (isAddress4(source) ? 0 : 1)
}

/** All of them, one by one. */
export function* entriesIn(rows: Rows): Iterable<SourceKey & Entry> {
  for (let row = 0; row < rowCount(rows); row++) yield entryOf(rows, row)
}

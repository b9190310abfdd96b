import { type Address, addressBits, addressBytes, isAddress4, maskAddress, type Prefix } from './address.ts'

/** A number must be below this; rows have 16 bits for it. */
export const NUMBERS_BELOW = 0xffff

/** The numbers of a table that says who is let in. */
export const DENIED = 0
export const ALLOWED = 1

/**
 * Source prefixes, each with a number, packed: there may be a million. A row is the prefix's bytes (4 or 16), its length
 * (u8), and the number (u16, little-endian). Grows until it is handed on; then nobody may add to it.
 */
export class PrefixTable {
  readonly #families: { readonly 4: Rows; readonly 16: Rows }

  /** `rows4` and `rows6` are another table's, and are this one's from now on. */
  constructor(rows4?: Uint8Array, rows6?: Uint8Array) {
    this.#families = { 4: new Rows(4, rows4), 16: new Rows(16, rows6) }
  }

  get size(): number {
    return this.#families[4].count + this.#families[16].count
  }

  /** False, and nothing is added, for a prefix that is there already. */
  add({ address, length }: Prefix, number: number): boolean {
    return this.#familyOf(address).add(addressBytes(address), length, number)
  }

  /** The prefixes that cover an address, longest first. */
  *covering(address: Address): Iterable<{ readonly length: number; readonly number: number }> {
    const rows = this.#familyOf(address)
    for (let length = addressBits(address); length >= 0; length--) {
      const number = rows.hasLength(length)
        ? rows.find(addressBytes(maskAddress(address, length)), length)
        : undefined
      if (number !== undefined) yield { length, number }
    }
  }

  /** Adds what another one has and this one has not; `renumber` gives each its new number. */
  addAll(other: PrefixTable, renumber: (number: number) => number): void {
    for (const width of [4, 16] as const)
      for (const { prefix, length, number } of other.#families[width].all())
        this.#families[width].add(prefix, length, renumber(number))
  }

  /** In the same order, too. */
  isSameAs(other: PrefixTable): boolean {
    return (
      this === other ||
      ([4, 16] as const).every((width) => this.#families[width].isSameAs(other.#families[width]))
    )
  }

  rows(family: 4 | 6): Uint8Array {
    return this.#families[family === 4 ? 4 : 16].written()
  }

  #familyOf(address: Address): Rows {
    return this.#families[isAddress4(address) ? 4 : 16]
  }
}

const FREE = 0

/** Rows of one family, and where they are: open addressing over positions from 1 on. Of given rows nobody may ever ask. */
class Rows {
  readonly #width: number
  readonly #rowBytes: number
  readonly #occurs = new Uint8Array(129)
  #bytes: Uint8Array
  #index: Uint32Array | undefined
  count: number

  constructor(width: number, rows: Uint8Array = new Uint8Array()) {
    this.#width = width
    this.#rowBytes = width + 3
    this.count = rows.length / this.#rowBytes
    this.#bytes = rows.length === 0 ? new Uint8Array(8 * this.#rowBytes) : rows
    for (let at = width; at < rows.length; at += this.#rowBytes) this.#occurs[rows[at]!] = 1
  }

  get #places(): Uint32Array {
    if (this.#index === undefined) this.#place()
    return this.#index!
  }

  hasLength(length: number): boolean {
    return this.#occurs[length] === 1
  }

  find(prefix: Uint8Array, length: number): number | undefined {
    const row = this.#places[this.#placeOf(prefix, length)]!
    if (row === FREE) return undefined
    const at = (row - 1) * this.#rowBytes + this.#width + 1
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8)
  }

  add(prefix: Uint8Array, length: number, number: number): boolean {
    const place = this.#placeOf(prefix, length)
    if (this.#places[place] !== FREE) return false
    if ((this.count + 1) * this.#rowBytes > this.#bytes.length) this.#bytes = grown(this.#bytes)
    const at = this.count++ * this.#rowBytes
    this.#bytes.set(prefix, at)
    this.#bytes.set([length, number & 0xff, number >> 8], at + this.#width)
    this.#occurs[length] = 1
    this.#places[place] = this.count
    if (this.count * 2 > this.#places.length) this.#place()
    return true
  }

  *all(): Iterable<{ readonly prefix: Uint8Array; readonly length: number; readonly number: number }> {
    for (let at = 0; at < this.count * this.#rowBytes; at += this.#rowBytes) {
      const end = at + this.#width
      const [length, low, high] = [this.#bytes[end]!, this.#bytes[end + 1]!, this.#bytes[end + 2]!]
      yield { prefix: this.#bytes.subarray(at, end), length, number: low | (high << 8) }
    }
  }

  isSameAs(other: Rows): boolean {
    if (this.count !== other.count) return false
    for (let at = 0; at < this.count * this.#rowBytes; at++)
      if (this.#bytes[at] !== other.#bytes[at]) return false
    return true
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.count * this.#rowBytes)
  }

  #place(): void {
    let length = 16
    while (length < this.count * 2) length *= 4
    this.#index = new Uint32Array(length)
    for (let row = 0; row < this.count; row++) {
      const at = row * this.#rowBytes
      const prefix = this.#bytes.subarray(at, at + this.#width)
      this.#index[this.#placeOf(prefix, this.#bytes[at + this.#width]!)] = row + 1
    }
  }

  /** Where the row's position is, or the free place where it would be. */
  #placeOf(prefix: Uint8Array, length: number): number {
    const mask = this.#places.length - 1
    let at = hashOf(prefix, length) & mask
    while (this.#places[at] !== FREE && !this.#isAt(this.#places[at]! - 1, prefix, length))
      at = (at + 1) & mask
    return at
  }

  #isAt(row: number, prefix: Uint8Array, length: number): boolean {
    const at = row * this.#rowBytes
    if (this.#bytes[at + this.#width] !== length) return false
    for (let i = 0; i < this.#width; i++) if (this.#bytes[at + i] !== prefix[i]) return false
    return true
  }
}

function grown(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length * 2)
  larger.set(bytes)
  return larger
}

/** FNV-1a, its bits mixed once more: what is in the table is the operator's, not a client's. */
function hashOf(prefix: Uint8Array, length: number): number {
  let hash = 0x811c9dc5 ^ length
  for (const byte of prefix) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return (hash ^ (hash >>> 13)) >>> 0
}

import { OnehopError } from '../errors.ts'

/**
 * Reads a byte stream in pieces of known length. What `take` returns is valid until the next call; a chunk is
 * done with when the next one is asked for, so the source may use one buffer for all.
 */
export class ByteReader {
  readonly #chunks: Iterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  /** Bytes of the stream consumed so far. */
  offset = 0

  constructor(chunks: Iterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.iterator]()
  }

  /** The next `length` bytes; throws E_INPUT with the offset when the stream ends before. */
  take(length: number, what: string): Uint8Array {
    if (this.#chunk.length - this.#at < length) this.#fill(length)
    const available = this.#chunk.length - this.#at
    if (available < length)
      throw malformed(
        this.offset,
        `the file ends inside ${what}: ${length} bytes expected, ${available} left`,
      )
    const bytes = this.#chunk.subarray(this.#at, this.#at + length)
    this.#at += length
    this.offset += length
    return bytes
  }

  isAtEnd(): boolean {
    if (this.#chunk.length === this.#at) this.#fill(1)
    return this.#chunk.length === this.#at
  }

  /** Passes over bytes without holding them. */
  skip(length: number, what: string): void {
    let left = length
    while (left > 0) {
      const step = Math.min(left, Math.max(this.#chunk.length - this.#at, 1))
      this.take(step, what)
      left -= step
    }
  }

  /** Makes `length` bytes available in one piece, or as many as there are. */
  #fill(length: number): void {
    const pieces: Uint8Array[] = [this.#chunk.slice(this.#at)]
    let available = pieces[0]!.length
    while (available < length) {
      const next = this.#chunks.next()
      if (next.done) break
      available += next.value.length
      // The last piece is not copied here: nothing asks for another chunk before it is joined or used up.
      pieces.push(available < length ? next.value.slice() : next.value)
    }
    this.#chunk = joined(pieces, available)
    this.#at = 0
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

export const malformed = (offset: number, message: string): OnehopError =>
  new OnehopError('E_INPUT', `byte ${offset}: ${message}`)

/** Capture files are in the byte order of the machine that wrote them. */
export type ByteOrder = 'little' | 'big'

export const read16 = (bytes: Uint8Array, at: number, order: ByteOrder): number =>
  order === 'little' ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!

export const read32 = (bytes: Uint8Array, at: number, order: ByteOrder): number =>
  order === 'little'
    ? (read16(bytes, at, order) | (read16(bytes, at + 2, order) << 16)) >>> 0
    : ((read16(bytes, at, order) << 16) | read16(bytes, at + 2, order)) >>> 0

import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'

const CHUNK_BYTES = 1 << 20

/**
 * `length` bytes that both ends of a transfer know from the seed: AES-128-CTR over zeros, so that a byte lost,
 * doubled, changed or moved anywhere shows, at the speed of memory and with nothing on disk.
 */
export class ByteStream {
  #cipher
  #zeros = Buffer.alloc(CHUNK_BYTES)
  #left
  #isEqual = true
  /** Bytes compared. */
  count = 0

  constructor(seed, length) {
    const key = createHash('sha256').update(seed).digest()
    this.#cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
    this.#left = length
  }

  #next(length) {
    this.#left -= length
    return this.#cipher.update(this.#zeros.subarray(0, length))
  }

  /** Takes what was received next. */
  compare(chunk) {
    this.count += chunk.length
    for (let at = 0; at < chunk.length && this.#isEqual; at += CHUNK_BYTES) {
      const part = chunk.subarray(at, at + CHUNK_BYTES)
      this.#isEqual = part.length <= this.#left && part.equals(this.#next(part.length))
    }
  }

  /** All bytes came, each as it should be. */
  get isComplete() {
    return this.#isEqual && this.#left === 0
  }

  /** Writes them all and ends `stream`. */
  async pipe(stream) {
    while (this.#left > 0)
      if (!stream.write(this.#next(Math.min(CHUNK_BYTES, this.#left)))) await once(stream, 'drain')
    stream.end()
  }
}

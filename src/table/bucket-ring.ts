import { siphash } from './siphash.ts'

const WAYS = 4

interface Bucket<V> {
  readonly keys: (string | undefined)[]
  readonly values: (V | undefined)[]
  next: number
}

/**
 * A bounded store that forgets: a key hashes to a bucket of four places; when all are taken the new key
 * takes the place whose turn it is. A flood can only churn it, never make it grow.
 */
export class BucketRing<V> {
  readonly #buckets: (Bucket<V> | undefined)[]
  readonly #key: Uint8Array

  /** `capacity` is rounded up to a power of two, at least one bucket. */
  constructor(capacity: number, key: Uint8Array) {
    this.#buckets = new Array(2 ** Math.max(0, Math.ceil(Math.log2(capacity / WAYS))))
    this.#key = key
  }

  lookup(keyBytes: Uint8Array): V | undefined {
    const bucket = this.#bucketOf(keyBytes)
    return bucket.values[bucket.keys.indexOf(nameOf(keyBytes))]
  }

  /** Stores under a key, in its own place when it has one. */
  store(keyBytes: Uint8Array, value: V): void {
    const bucket = this.#bucketOf(keyBytes)
    const place = this.#placeFor(bucket, nameOf(keyBytes))
    bucket.keys[place] = nameOf(keyBytes)
    bucket.values[place] = value
  }

  remove(keyBytes: Uint8Array): void {
    const bucket = this.#bucketOf(keyBytes)
    const place = bucket.keys.indexOf(nameOf(keyBytes))
    if (place < 0) return
    bucket.keys[place] = undefined
    bucket.values[place] = undefined
  }

  #placeFor(bucket: Bucket<V>, name: string): number {
    const own = bucket.keys.indexOf(name)
    if (own >= 0) return own
    const free = bucket.keys.indexOf(undefined)
    if (free >= 0) return free
    const turn = bucket.next
    bucket.next = (turn + 1) % WAYS
    return turn
  }

  #bucketOf(keyBytes: Uint8Array): Bucket<V> {
    const at = siphash(this.#key, keyBytes).low & (this.#buckets.length - 1)
    this.#buckets[at] ??= {
      keys: new Array(WAYS).fill(undefined),
      values: new Array(WAYS).fill(undefined),
      next: 0,
    }
    return this.#buckets[at]
  }
}

const nameOf = (keyBytes: Uint8Array): string => String.fromCharCode(...keyBytes)

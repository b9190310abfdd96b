import { siphash } from './siphash.ts'

const WAYS = 4

interface Bucket {
  readonly names: (string | undefined)[]
  next: number
}

/** A key by its name, and by the bytes that are hashed when it takes a place. */
export interface RingKey {
  readonly name: string
  toBytes(): Uint8Array
}

/**
 * A bounded store that forgets: a key hashes to a bucket of four places; when all are taken the new key
 * takes the place whose turn it is. A flood can only churn it, never make it grow.
 */
export class BucketRing<V> {
  readonly #buckets: (Bucket | undefined)[]
  readonly #hashKey: Uint8Array
  readonly #values = new Map<string, V>()

  /** `capacity` is rounded up to a power of two, at least one bucket. */
  constructor(capacity: number, hashKey: Uint8Array) {
    this.#buckets = new Array(2 ** Math.max(0, Math.ceil(Math.log2(capacity / WAYS))))
    this.#hashKey = hashKey
  }

  lookup(key: RingKey): V | undefined {
    return this.#values.get(key.name)
  }

  /** Stores under a key, in its own place when it has one. */
  store(key: RingKey, value: V): void {
    if (!this.#values.has(key.name)) this.#takePlace(key)
    this.#values.set(key.name, value)
  }

  remove(key: RingKey): void {
    if (!this.#values.delete(key.name)) return
    const { names } = this.#bucketOf(key)
    names[names.indexOf(key.name)] = undefined
  }

  #takePlace(key: RingKey): void {
    const bucket = this.#bucketOf(key)
    const place = freePlace(bucket)
    const displaced = bucket.names[place]
    if (displaced !== undefined) this.#values.delete(displaced)
    bucket.names[place] = key.name
  }

  #bucketOf(key: RingKey): Bucket {
    const at = siphash(this.#hashKey, key.toBytes()).low & (this.#buckets.length - 1)
    this.#buckets[at] ??= { names: new Array(WAYS).fill(undefined), next: 0 }
    return this.#buckets[at]
  }
}

function freePlace(bucket: Bucket): number {
  const free = bucket.names.indexOf(undefined)
  if (free >= 0) return free
  const turn = bucket.next
  bucket.next = (turn + 1) % WAYS
  return turn
}

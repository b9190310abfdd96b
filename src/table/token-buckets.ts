import { type Address, mappedBytes, maskAddress } from '../address.ts'
import { siphash } from './siphash.ts'

/** So many tokens a second, and those of so many seconds at once: their product is below 2^24. */
export interface Rate {
  readonly perSecond: number
  readonly burstSeconds: number
}

const SETS = 16_384
const WAYS = 4
/** What is kept of the clock's second. */
const SECONDS_MASK = 2 ** 20 - 1
/** Packets come out of order, and threads' clocks differ: a bucket up to this far ahead of the clock counts as of now. */
const AHEAD_SECONDS = 64

interface Bucket {
  /** 20 bits of its prefix's hash. */
  tag: number
  /** When `spent` was right; it falls from then on. */
  second: number
  spent: number
}

interface Found {
  readonly bucket: Bucket
  readonly tag: number
  readonly spent: number
}

/**
 * A token bucket for each prefix of a length, in places whose number is fixed, 65,536: a keyed hash leads to a set of four, and
 * where the set has none left, whoever has spent least begins anew. So a flood of made-up sources takes no memory, spends
 * nobody else's tokens, and leaves those known who spend most.
 */
export class TokenBuckets {
  readonly #hashKey: Uint8Array
  readonly #sets = new Map<number, readonly Bucket[]>()

  constructor(hashKey: Uint8Array) {
    this.#hashKey = hashKey
  }

  hasToken(address: Address, length: number, rate: Rate, now: number): boolean {
    return this.#find(address, length, rate, now).spent < mostOf(rate)
  }

  /** Spends one, if there is one. */
  take(address: Address, length: number, rate: Rate, now: number): void {
    const { bucket, tag, spent } = this.#find(address, length, rate, now)
    bucket.tag = tag
    bucket.second = now & SECONDS_MASK
    bucket.spent = Math.min(spent + 1, mostOf(rate))
  }

  /** Its bucket, or the one that it takes the place of. */
  #find(address: Address, length: number, rate: Rate, now: number): Found {
    const { low, high } = siphash(this.#hashKey, keyBytes(maskAddress(address, length), length))
    const tag = high >>> 12
    const set = this.#setAt(low & (SETS - 1))
    const own = set.find((bucket) => bucket.tag === tag)
    if (own !== undefined) return { bucket: own, tag, spent: spentOf(own, rate, now) }
    const least = set.reduce((a, b) => (spentOf(b, rate, now) < spentOf(a, rate, now) ? b : a))
    return { bucket: least, tag, spent: 0 }
  }

  #setAt(at: number): readonly Bucket[] {
    const set = this.#sets.get(at) ?? Array.from({ length: WAYS }, () => ({ tag: 0, second: 0, spent: 0 }))
    this.#sets.set(at, set)
    return set
  }
}

const mostOf = ({ perSecond, burstSeconds }: Rate): number => perSecond * burstSeconds

function spentOf({ second, spent }: Bucket, { perSecond }: Rate, now: number): number {
  const elapsed = (now - second) & SECONDS_MASK
  return elapsed > SECONDS_MASK - AHEAD_SECONDS ? spent : Math.max(0, spent - elapsed * perSecond)
}

/** What is hashed: the prefix mapped to 16 bytes, and its length in 4, little-endian. */
function keyBytes(prefix: Address, length: number): Uint8Array {
  const bytes = new Uint8Array(20)
  bytes.set(mappedBytes(prefix))
  new DataView(bytes.buffer).setUint32(16, length, true)
  return bytes
}

import { type Address, addressBits, lengthOf, type PrefixLengths } from '../address.ts'
import { TokenBuckets } from './token-buckets.ts'

/** How many places on probation one source, or all of one prefix, may take. Rates: below 2^24 in a burst. */
export interface NewSourceLimits extends PrefixLengths {
  /** Places a second; undefined: no limit. */
  readonly perSource: number | undefined
  readonly perPrefix: number | undefined
  /** What was not used in so many seconds may be used at once. */
  readonly burstSeconds: number
}

/** The limit that keeps a source out. */
export type Limit = 'source-limit' | 'prefix-limit'

/**
 * What sources have taken up of the places for those whom nobody knows. Whoever really has many addresses, a network of IPv6
 * say, proves each of them and could fill the table; this is what bounds it. A source is an address here, whatever a
 * service's affinity makes of it, and takes a place for each scope that it comes to.
 */
export class NewSources {
  readonly #sources: TokenBuckets
  readonly #prefixes: TokenBuckets

  constructor(hashKey: Uint8Array) {
    this.#sources = new TokenBuckets(hashKey)
    this.#prefixes = new TokenBuckets(hashKey)
  }

  /** What forbids a source that nobody knows one more place; undefined: nothing. */
  limitOf(source: Address, limits: NewSourceLimits | undefined, now: number): Limit | undefined {
    if (limits === undefined) return undefined
    const { perSource, perPrefix, burstSeconds } = limits
    const has = (buckets: TokenBuckets, length: number, perSecond: number | undefined) =>
      perSecond === undefined || buckets.hasToken(source, length, { perSecond, burstSeconds }, now)
    if (!has(this.#sources, addressBits(source), perSource)) return 'source-limit'
    return has(this.#prefixes, lengthOf(source, limits), perPrefix) ? undefined : 'prefix-limit'
  }

  /** It has taken one. */
  take(source: Address, limits: NewSourceLimits | undefined, now: number): void {
    if (limits === undefined) return
    const { perSource, perPrefix, burstSeconds } = limits
    const spend = (buckets: TokenBuckets, length: number, perSecond: number | undefined) => {
      if (perSecond !== undefined) buckets.take(source, length, { perSecond, burstSeconds }, now)
    }
    spend(this.#sources, addressBits(source), perSource)
    spend(this.#prefixes, lengthOf(source, limits), perPrefix)
  }
}

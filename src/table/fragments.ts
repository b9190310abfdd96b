import { type Address, isAddress4, mappedBytes } from '../address.ts'
import { BucketRing, type RingKey } from './bucket-ring.ts'

/**
 * What the fragments of one packet have in common (RFC 791 section 3.2). Over IPv6 the protocol is not part of it: in later
 * fragments it need not be the first one's (RFC 8200 section 4.5).
 */
export interface FragmentedPacket {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly identification: number
}

/** What became of a first fragment, and so becomes of those that follow it. */
export interface Fate {
  /** Position in REASONS. */
  readonly code: number
  readonly service: number
  readonly container: number
  /** The client as the table knows it, or who sent the packet. */
  readonly client: Address
  /** The ends that it left with. */
  readonly source: Address
  readonly destination: Address
}

/** All fragments of a packet leave their sender at once; its identification may be another packet's soon. */
export const FRAGMENT_LIFE_SECONDS = 5

/**
 * Fragmented packet → its first fragment's fate. Nothing is reassembled and no payload kept. Bounded; the least recently
 * made go. A first fragment that comes again replaces the one before, so nobody can reserve an identification.
 */
export class FragmentTable {
  readonly #ring: BucketRing<{ readonly fate: Fate; readonly since: number }>

  constructor(capacity: number, hashKey: Uint8Array) {
    this.#ring = new BucketRing(capacity, hashKey)
  }

  lookup(packet: FragmentedPacket, now: number): Fate | undefined {
    const found = this.#ring.lookup(fragmentRingKey(packet))
    return found === undefined || now - found.since > FRAGMENT_LIFE_SECONDS ? undefined : found.fate
  }

  remember(packet: FragmentedPacket, fate: Fate, now: number): void {
    this.#ring.store(fragmentRingKey(packet), { fate, since: now })
  }
}

/** Hashed as 40 bytes: the ends (16 mapped each), identification in network order (IPv4: 2 bytes of the 4), protocol. */
function fragmentRingKey({ source, destination, protocol, identification }: FragmentedPacket): RingKey {
  const is4 = isAddress4(source)
  const counted = is4 ? protocol : 0
  return {
    name: `${source}/${destination}/${identification}/${counted}`,
    toBytes() {
      const bytes = new Uint8Array(40)
      bytes.set(mappedBytes(source))
      bytes.set(mappedBytes(destination), 16)
      const view = new DataView(bytes.buffer)
      if (is4) view.setUint16(32, identification)
      else view.setUint32(32, identification)
      view.setUint8(36, counted)
      return bytes
    },
  }
}

import { buildRing, type RingMember } from './maglev.ts'

/** A member with its position in its service. */
export interface PlacedMember extends RingMember {
  readonly position: number
}

/**
 * The rings of the last snapshot, under one key, so that a change builds those of its own service only: a ring takes a
 * millisecond, and there may be ten thousand services. Equal lists share one ring. Nobody may write to a ring.
 */
export class Rings {
  readonly #key: Uint8Array
  #last = new Map<string, Uint16Array>()
  #used = new Map<string, Uint16Array>()

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** Rows hold the members' positions. */
  ringOf(members: readonly PlacedMember[]): Uint16Array {
    const list = JSON.stringify(members.map(({ name, weight, position }) => [name, weight, position]))
    const ring = this.#used.get(list) ?? this.#last.get(list) ?? this.#build(members)
    this.#used.set(list, ring)
    return ring
  }

  /** A snapshot is complete: what it did not use is forgotten, so there are never more than two snapshots' rings. */
  forgetUnused(): void {
    this.#last = this.#used
    this.#used = new Map()
  }

  #build(members: readonly PlacedMember[]): Uint16Array {
    return buildRing(members, this.#key).map((index) => members[index]!.position)
  }
}

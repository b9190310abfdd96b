import { type Address, covers, isAddress4, joinAddresses, type Prefix } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { rewriteEnd, type Side } from './rewrite.ts'
import type { Hairpin } from './snapshot.ts'

/**
 * Hairpin: who calls a public address from a container or from the host itself. Such a source is near the container
 * that serves it: what that answered would take the short way on the bridge, past onehop, and where both are the same
 * container, the packet would come from its own address. So the container sees another source, the caller's alias: an
 * address of a prefix that is routed into the TUN, with the caller's own low bits. One source has one alias and back, so
 * nothing is remembered.
 *
 *     request  10.77.0.11 → 203.0.113.10   becomes   250.77.0.11 → 10.77.0.12
 *     answer   10.77.0.12 → 250.77.0.11    becomes   203.0.113.10 → 10.77.0.11
 *
 * Everything else, decision, table and flows, knows the caller by its own address.
 */
export class Aliases {
  readonly #hairpin: Hairpin | undefined

  constructor(hairpin: Hairpin | undefined) {
    this.#hairpin = hairpin
  }

  isAlias(address: Address): boolean {
    return this.#hairpin !== undefined && covers(aliasPrefix(this.#hairpin, address), address)
  }

  /** What containers see in the place of a source; undefined for one that is not local. */
  aliasOf(source: Address): Address | undefined {
    if (!this.#hairpin?.sources.some((local) => covers(local, source))) return undefined
    const { address, length } = aliasPrefix(this.#hairpin, source)
    return joinAddresses(address, length, source)
  }

  /** The local source behind an alias; undefined when there is none. */
  sourceOf(alias: Address): Address | undefined {
    if (this.#hairpin === undefined || !this.isAlias(alias)) return undefined
    const { length } = aliasPrefix(this.#hairpin, alias)
    return this.#hairpin.sources
      .filter(({ address }) => isAddress4(address) === isAddress4(alias))
      .map((local) => ({ local, source: joinAddresses(local.address, length, alias) }))
      .find(({ local, source }) => covers(local, source))?.source
  }
}

/** Puts a local source's alias into the place of its address, on the side of the packet where it stands. */
export function disguise(packet: Packet, side: Side, aliases: Aliases, isPartial: boolean): void {
  const alias = aliases.aliasOf(packet[side])
  if (alias !== undefined) rewriteEnd(packet, side, alias, 0, isPartial)
}

const aliasPrefix = ({ alias4, alias6 }: Hairpin, like: Address): Prefix =>
  isAddress4(like) ? alias4 : alias6

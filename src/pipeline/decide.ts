import { isAddress4, mappedBytes } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { lookupRing } from '../table/maglev.ts'
import type { Entry, Origin } from '../table/table.ts'
import { addressOf, lookupPin, type SnapshotLookup, sourceKey, type Way } from './lookup.ts'
import type { Member } from './snapshot.ts'

/** Where a request goes and why, and the origin of what the table is to remember. */
export type Decision =
  | {
      readonly reason: 'pinned' | 'known' | 'chosen' | 'unpinned'
      readonly member: Member
      readonly origin: Origin
    }
  | { readonly reason: 'no-container' }

/**
 * The one decision: which container takes a source. In order: the longest pin whose container can take it;
 * the entry, if its container still can; the algorithm over the containers that take new sources. The last two
 * are `unpinned` for a source that a pin covers. Pure: the entry found for the source is an argument,
 * remembering the outcome is the caller's.
 */
export function decide(
  packet: Packet,
  way: Way,
  lookup: SnapshotLookup,
  entry: Readonly<Entry> | undefined,
): Decision {
  const { service } = way
  const usable = (container: number) => usableMember(container, packet, way, lookup)

  const pin = lookupPin(service.pins, packet.source, (container) => usable(container) !== undefined)
  if (pin !== undefined) return { reason: 'pinned', member: usable(pin.container)!, origin: 'pinned' }
  const isUnpinned = lookupPin(service.pins, packet.source, () => true) !== undefined

  const known = entry && usable(entry.container)
  if (known !== undefined)
    return { reason: isUnpinned ? 'unpinned' : 'known', member: known, origin: entry!.origin }

  const ring = isAddress4(packet.source) ? service.ring4 : service.ring6
  if (ring.length === 0) return { reason: 'no-container' }
  const { source } = sourceKey(way, packet.source)
  const position = lookupRing(ring, lookup.snapshot.key, mappedBytes(source))
  return {
    reason: isUnpinned ? 'unpinned' : 'chosen',
    member: service.members[position]!,
    origin: 'assigned',
  }
}

/** The service's member for a container that is not down and has an address of the packet's family. */
function usableMember(
  container: number,
  packet: Packet,
  way: Way,
  lookup: SnapshotLookup,
): Member | undefined {
  const member = way.service.members.find((candidate) => candidate.container === container)
  const found = member && lookup.snapshot.containers.get(container)
  if (found === undefined || found.state === 'down') return undefined
  return addressOf(found, packet.destination) === undefined ? undefined : member
}

import type { Packet } from '../packet/packet.ts'
import type { Entry, Origin } from '../table/table.ts'
import { choose, type Past } from './choose.ts'
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
 * are `unpinned` for a source that a pin covers. Pure: the entry found for the source and what the
 * algorithm goes by are arguments, remembering the outcome is the caller's.
 */
export function decide(
  packet: Packet,
  way: Way,
  lookup: SnapshotLookup,
  entry: Readonly<Entry> | undefined,
  past: Past,
): Decision {
  const { service } = way
  const usable = (container: number) => usableMember(container, packet, way)

  const pin = lookupPin(service.pins, packet.source, (container) => usable(container) !== undefined)
  if (pin !== undefined) return { reason: 'pinned', member: usable(pin.container)!, origin: 'pinned' }
  const isUnpinned = lookupPin(service.pins, packet.source, () => true) !== undefined

  const known = entry && usable(entry.container)
  if (known !== undefined)
    return { reason: isUnpinned ? 'unpinned' : 'known', member: known, origin: entry!.origin }

  const { source } = sourceKey(way, packet.source)
  const chosen = choose(service, source, lookup, past)
  if (chosen === undefined) return { reason: 'no-container' }
  return { reason: isUnpinned ? 'unpinned' : 'chosen', member: chosen, origin: 'assigned' }
}

/** The service's member for a container that is not down and has an address of the packet's family. */
function usableMember(id: number, packet: Packet, { service }: Way): Member | undefined {
  const member = service.members.find(({ container }) => container.id === id)
  if (member === undefined || member.container.state === 'down') return undefined
  return addressOf(member.container, packet.destination) === undefined ? undefined : member
}

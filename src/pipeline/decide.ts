import { type Address, isAddress4, mappedBytes } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { ALLOWED } from '../prefix-table.ts'
import { lookupRing } from '../table/maglev.ts'
import type { Limit } from '../table/new-sources.ts'
import type { Entry, Origin } from '../table/table.ts'
import { choose, type Past } from './choose.ts'
import type { Evidence } from './evidence.ts'
import { addressOf, type SnapshotLookup, sourceKey, type Way } from './lookup.ts'
import type { Member, SnapshotService } from './snapshot.ts'

/** Where a request goes and why, and the origin of what the table is to remember. */
export type Decision =
  | {
      readonly reason: 'pinned' | 'known' | 'chosen' | 'unpinned'
      readonly member: Member
      readonly origin: Origin
    }
  | { readonly reason: NotServed }

/** Why a service has no container for a source. */
export type NotServed = 'no-container' | 'denied' | Limit

/** What a decision needs of a packet. */
export type Ends = Pick<Packet, 'source' | 'destination'>

/**
 * The one decision: which container takes a source. In order: whether the service lets it in at all; whether there is a place for
 * it, if nobody knows it; the longest pin one of whose containers can take it; the entry, if its container still can; the
 * algorithm over the containers that take new sources. The last two are `unpinned` for a source that a pin covers. Pure:
 * the entry found for the source and what else counts of the past are arguments, remembering the outcome is the
 * caller's. `evidence` hears what was looked at.
 */
export function decide(
  packet: Ends,
  way: Way,
  lookup: SnapshotLookup,
  entry: Readonly<Entry> | undefined,
  past: Past,
  evidence?: Evidence,
): Decision {
  if (!isAdmitted(packet.source, way.service)) return { reason: 'denied' }
  const limit = entry === undefined ? past.limitOf(packet.source) : undefined
  if (limit !== undefined) return { reason: limit }
  const { source } = sourceKey(way, packet.source)
  const known = entry && usableMember(entry.container, packet, way)
  const pinned = findPinned(packet.source, source, way.service, lookup, known, evidence)
  if (pinned.member !== undefined) return { reason: 'pinned', member: pinned.member, origin: 'pinned' }
  if (known !== undefined)
    return { reason: pinned.isCovered ? 'unpinned' : 'known', member: known, origin: entry!.origin }
  const chosen = choose(way.service, source, lookup, past, evidence)
  if (chosen === undefined) return { reason: 'no-container' }
  return { reason: pinned.isCovered ? 'unpinned' : 'chosen', member: chosen, origin: 'assigned' }
}

function isAdmitted(source: Address, { admission }: SnapshotService): boolean {
  if (admission === undefined) return true
  for (const { number } of admission.table.covering(source)) return number === ALLOWED
  return admission.isOpen
}

interface Pinned {
  /** Of the longest pin that can be kept to. */
  readonly member: Member | undefined
  /** By any pin. */
  readonly isCovered: boolean
}

/** Who is at a container of the pin's stays there; others are spread over those of them that take new sources, by Maglev. */
function findPinned(
  address: Address,
  source: Address,
  service: SnapshotService,
  lookup: SnapshotLookup,
  known: Member | undefined,
  evidence: Evidence | undefined,
): Pinned {
  let isCovered = false
  for (const { length, number: set } of service.pins.table.covering(address)) {
    isCovered = true
    const member = memberOfPin(set, source, service, lookup, known)
    evidence?.pins.push({ length, member })
    if (member !== undefined) return { member, isCovered }
  }
  return { member: undefined, isCovered }
}

function memberOfPin(
  set: number,
  source: Address,
  service: SnapshotService,
  { candidates, snapshot }: SnapshotLookup,
  known: Member | undefined,
): Member | undefined {
  if (known !== undefined && service.pins.sets[set]!.includes(known.container.id)) return known
  const { list, ring } = candidates.ofPin(service, set, isAddress4(source) ? 4 : 6)
  return list.length === 0 ? undefined : list[lookupRing(ring, snapshot.key, mappedBytes(source))]!.member
}

/** The service's member for a container that is not down and has an address of the packet's family. */
export function usableMember(id: number, packet: Ends, { service }: Way): Member | undefined {
  const member = service.members.find(({ container }) => container.id === id)
  if (member === undefined || member.container.state === 'down') return undefined
  return addressOf(member.container, packet.destination) === undefined ? undefined : member
}

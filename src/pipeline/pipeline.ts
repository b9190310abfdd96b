import { isOffloadSound, isPartial, NO_OFFLOAD, type Offload } from '../packet/offload.ts'
import { type Packet, parsePacket } from '../packet/packet.ts'
import type { FlowTable } from '../table/flows.ts'
import type { FragmentTable } from '../table/fragments.ts'
import type { NewSources } from '../table/new-sources.ts'
import type { DistributionTable } from '../table/table.ts'
import type { TurnCounters } from '../table/turns.ts'
import type { ErrorBudget } from './budget.ts'
import { forward } from './forward.ts'
import { followFirst, rememberFirst } from './fragments.ts'
import type { SnapshotLookup } from './lookup.ts'
import { dropped, type Outcome } from './outcome.ts'
import { reply, replyToAlias } from './reply.ts'

/** All that a packet's outcome depends on besides its bytes. */
export interface PipelineState {
  readonly lookup: SnapshotLookup
  readonly table: DistributionTable
  readonly flows: FlowTable
  readonly fragments: FragmentTable
  readonly errors: ErrorBudget
  readonly turns: TurnCounters
  readonly newSources: NewSources
  /** Seconds. */
  readonly now: number
}

/**
 * One packet, from bytes to outcome: parse, then forward what is for a public address, and treat the rest as
 * a possible answer from a container. A packet to a public address never passes: the kernel would route it
 * straight back into the TUN. `bytes` may be changed in place.
 */
export function processPacket(
  bytes: Uint8Array,
  state: PipelineState,
  offload: Offload = NO_OFFLOAD,
): Outcome {
  const packet = parsePacket(bytes)
  if (typeof packet === 'string') return dropped(packet, undefined)
  if (!isOffloadSound(packet, offload)) return dropped('bad-offload', undefined)
  if (packet.isLaterFragment) return followFirst(packet, state) ?? forwardOrReply(packet, state, offload)
  const outcome = forwardOrReply(packet, state, offload)
  if (packet.isFragment) rememberFirst(packet, outcome, state)
  return outcome
}

function forwardOrReply(packet: Packet, state: PipelineState, offload: Offload): Outcome {
  const { lookup } = state
  if (lookup.isPublic(packet.destination)) return forward(packet, state, offload)
  return lookup.aliases.isAlias(packet.destination)
    ? replyToAlias(packet, state, isPartial(packet, offload))
    : reply(packet, state, isPartial(packet, offload))
}

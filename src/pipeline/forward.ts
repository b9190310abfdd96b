import { isPartial, type Offload } from '../packet/offload.ts'
import {
  isAuthenticated,
  isEchoRequest,
  isIcmp,
  isRewritable,
  lacksChecksum,
  type Packet,
} from '../packet/packet.ts'
import { isIcmpError } from '../packet/quoted.ts'
import { TCP } from '../packet/tcp.ts'
import { echoReply, isAnswerable, tcpReset, type Unserved, unreachable } from './answer.ts'
import { pastOf } from './choose.ts'
import { decide, type NotServed } from './decide.ts'
import { disguise } from './hairpin.ts'
import { addressOf, endpointPort, sourceKey, type Way } from './lookup.ts'
import { codeOf, dropped, flowOf, leaving, type Outcome } from './outcome.ts'
import type { PipelineState } from './pipeline.ts'
import { forwardQuoted } from './quoted.ts'
import { rewriteEnd } from './rewrite.ts'
import type { Member, SnapshotService } from './snapshot.ts'
import type { ReasonOf } from './verdict.ts'

/** A packet to a public address: find the way in, decide, remember, rewrite. It never passes: see pipeline.ts. */
export function forward(packet: Packet, state: PipelineState, offload: Offload): Outcome {
  if (state.lookup.aliases.isAlias(packet.source)) return dropped('stray-alias', packet.source)
  if (isIcmpError(packet)) return forwardQuoted(packet, state, isPartial(packet, offload))
  if (isAuthenticated(packet)) return dropped('authenticated', packet.source)
  if (lacksChecksum(packet) && !isPartial(packet, offload)) return dropped('no-checksum', packet.source)
  const way = state.lookup.way(packet)
  if (way === undefined) return withoutService(packet, state, offload)
  if (!isForwardable(packet)) return dropped('unsupported', packet.source)

  const key = sourceKey(way, packet.source)
  const idle = state.lookup.idleOf(key.scope)
  const entry = state.table.lookup(key, state.now, idle)
  const decision = decide(packet, way, state.lookup, entry, pastOf(state, 'take'))
  if (!('member' in decision)) return notServed(packet, way, decision.reason, state, offload)

  const { member, reason, origin } = decision
  if (entry === undefined) state.newSources.take(packet.source, state.lookup.snapshot.newSources, state.now)
  const quota = state.lookup.quotaOf(key.scope)
  state.table.remember(key, entry, member.container.id, origin, packet, quota, state.now)
  rewriteToContainer(packet, way, member, state, isPartial(packet, offload))
  return leaving('forward', reason, packet, way, member.container.id, key.source)
}

/** Of ICMP only echo requests have an end to rewrite. */
const isForwardable = (packet: Packet): boolean =>
  isRewritable(packet) && (!isIcmp(packet) || packet.isLaterFragment || isEchoRequest(packet))

function rewriteToContainer(
  packet: Packet,
  way: Way,
  member: Member,
  state: PipelineState,
  isPartial: boolean,
): void {
  const { lookup, flows } = state
  const address = addressOf(member.container, packet.destination)!
  const port = endpointPort(way.front, member)
  const portThere = port || packet.destinationPort
  if (!packet.isLaterFragment && lookup.needsFlow(address, packet.protocol, portThere))
    flows.remember(flowOf(packet, 'source', address, portThere), {
      address: packet.destination,
      port: packet.destinationPort,
    })
  rewriteEnd(packet, 'destination', address, port, isPartial)
  disguise(packet, 'source', lookup.aliases, isPartial)
}

/** A public address, but no service on that port. */
function withoutService(packet: Packet, state: PipelineState, offload: Offload): Outcome {
  if (packet.isLaterFragment) return dropped('fragment', packet.source)
  if (!packet.hasTransport || packet.isRouted) return dropped('unsupported', packet.source)
  if (isEchoRequest(packet) && !packet.isFragment)
    return answer('echo', echoReply(packet, isPartial(packet, offload)), packet)
  if (isIcmp(packet)) return dropped('unsupported', packet.source)
  return state.lookup.snapshot.unserved === 'drop'
    ? dropped('port-closed', packet.source)
    : reject(packet, 'port-closed', state, offload)
}

/**
 * Whether whom a service does not serve, for this reason, hears of it. Who is new beyond the limits does not: he asks again by
 * himself when there may be a place, and answers to made-up sources would go to others.
 */
function isTold({ admission, empty }: SnapshotService, reason: NotServed): reason is NotServed & Unserved {
  if (reason === 'denied') return admission!.denied === 'reject'
  return reason === 'no-container' && empty === 'reject'
}

/** There is a service, but not for this source. */
function notServed(
  packet: Packet,
  { service }: Way,
  reason: NotServed,
  state: PipelineState,
  offload: Offload,
): Outcome {
  const outcome = isTold(service, reason)
    ? reject(packet, reason, state, offload)
    : dropped(reason, packet.source)
  return { ...outcome, service: service.id }
}

/** A reset for TCP, an ICMP error for the rest. */
function reject(packet: Packet, reason: Unserved, state: PipelineState, offload: Offload): Outcome {
  if (!isAnswerable(packet, offload)) return dropped(reason, packet.source)
  if (packet.protocol === TCP.protocol) return answer(reason, tcpReset(packet), packet)
  return state.errors.take(state.now)
    ? answer(reason, unreachable(packet, reason), packet)
    : dropped('answer-limit', packet.source)
}

const answer = (reason: ReasonOf<'answer'>, output: Uint8Array, packet: Packet): Outcome => ({
  code: codeOf('answer', reason),
  service: 0,
  container: 0,
  output,
  source: packet.source,
})

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
import { echoReply, isAnswerable, tcpReset, unreachable } from './answer.ts'
import { pastOf } from './choose.ts'
import { decide } from './decide.ts'
import { disguise } from './hairpin.ts'
import { addressOf, endpointPort, sourceKey, type Way } from './lookup.ts'
import { codeOf, flowOf, type Outcome, wholePacket } from './outcome.ts'
import type { PipelineState } from './pipeline.ts'
import { forwardQuoted } from './quoted.ts'
import { rewriteEnd } from './rewrite.ts'
import type { Member } from './snapshot.ts'

/** A packet to a public address: find the way in, decide, remember, rewrite. It never passes: see pipeline.ts. */
export function forward(packet: Packet, state: PipelineState, offload: Offload): Outcome {
  if (state.lookup.aliases.isAlias(packet.source)) return drop('stray-alias', packet)
  if (isIcmpError(packet)) return forwardQuoted(packet, state, isPartial(packet, offload))
  if (isAuthenticated(packet)) return drop('authenticated', packet)
  if (lacksChecksum(packet) && !isPartial(packet, offload)) return drop('no-checksum', packet)
  const way = state.lookup.way(packet)
  if (way === undefined) return withoutService(packet, state, offload)
  if (!isForwardable(packet)) return drop('unsupported', packet)

  const key = sourceKey(way, packet.source)
  const idle = state.lookup.idleOf(key.scope)
  const entry = state.table.lookup(key, state.now, idle)
  const decision = decide(packet, way, state.lookup, entry, pastOf(state, 'take'))
  if (decision.reason === 'no-container') return withoutContainer(packet, way, state, offload)

  const { member, reason, origin } = decision
  const quota = state.lookup.quotaOf(key.scope)
  state.table.remember(key, member.container.id, origin, packet, quota, state.now, idle)
  rewriteToContainer(packet, way, member, state, isPartial(packet, offload))
  return {
    code: codeOf('forward', reason),
    service: way.service.id,
    container: member.container.id,
    output: wholePacket(packet),
    source: key.source,
  }
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
  if (packet.isLaterFragment) return drop('fragment', packet)
  if (!packet.hasTransport || packet.isRouted) return drop('unsupported', packet)
  if (isEchoRequest(packet) && !packet.isFragment)
    return answer('echo', echoReply(packet, isPartial(packet, offload)), packet)
  if (isIcmp(packet)) return drop('unsupported', packet)
  return state.lookup.snapshot.unserved === 'drop'
    ? drop('port-closed', packet)
    : reject(packet, 'port-closed', state, offload)
}

function withoutContainer(packet: Packet, { service }: Way, state: PipelineState, offload: Offload): Outcome {
  const outcome =
    service.empty === 'drop' ? drop('no-container', packet) : reject(packet, 'no-container', state, offload)
  return { ...outcome, service: service.id }
}

/** A reset for TCP, an ICMP error for the rest. */
function reject(
  packet: Packet,
  reason: 'port-closed' | 'no-container',
  state: PipelineState,
  offload: Offload,
): Outcome {
  if (!isAnswerable(packet, offload)) return drop(reason, packet)
  if (packet.protocol === TCP.protocol) return answer(reason, tcpReset(packet), packet)
  return state.errors.take(state.now)
    ? answer(reason, unreachable(packet, reason), packet)
    : drop('answer-limit', packet)
}

const answer = (
  reason: 'echo' | 'port-closed' | 'no-container',
  output: Uint8Array,
  packet: Packet,
): Outcome => ({
  code: codeOf('answer', reason),
  service: 0,
  container: 0,
  output,
  source: packet.source,
})

const drop = (
  reason:
    | 'stray-alias'
    | 'authenticated'
    | 'no-checksum'
    | 'unsupported'
    | 'fragment'
    | 'port-closed'
    | 'no-container'
    | 'answer-limit',
  packet: Packet,
): Outcome => ({
  code: codeOf('drop', reason),
  service: 0,
  container: 0,
  output: undefined,
  source: packet.source,
})

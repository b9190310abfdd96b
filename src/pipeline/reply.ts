import { isEchoReply, isIcmp, isRewritable, lacksChecksum, type Packet } from '../packet/packet.ts'
import { isIcmpError } from '../packet/quoted.ts'
import { onlyWay, wayOfFlow } from './asked.ts'
import { type EndpointWay, isOneWay, isOnlyByFlow, needsFlow, sourceKey } from './lookup.ts'
import { dropped, leaving, type Outcome, passed } from './outcome.ts'
import type { PipelineState } from './pipeline.ts'
import { replyQuoted } from './quoted.ts'
import { rewriteEnd } from './rewrite.ts'
import { REASONS } from './verdict.ts'

/**
 * A packet from a container: an answer to rewrite when its endpoint serves a public address and its client
 * came through that and went to this container; otherwise it is none of onehop's business.
 */
export function reply(packet: Packet, state: PipelineState, isPartial: boolean): Outcome {
  if (isIcmpError(packet)) return replyQuoted(packet, state, isPartial)
  const ways = isAnswer(packet) ? state.lookup.endpointWays(packet) : []
  if (ways.length === 0) return passed('not-ours', packet)
  const asked = ways.filter((way) => hasAsked(packet, way, state))
  if (asked.length === 0) return passed('unknown-client', packet)
  if (packet.isLaterFragment && !isOneWay(ways)) return dropped('fragment', packet.destination)
  return needsFlow(ways)
    ? flowReply(packet, asked, state, isPartial)
    : rewritten(packet, ways[0]!, 'endpoint', isPartial)
}

/**
 * The same for a packet to an alias. One that is no answer cannot pass: it would be routed straight back, or leave the host
 * with an address that nobody has.
 */
export function replyToAlias(packet: Packet, state: PipelineState, isPartial: boolean): Outcome {
  const caller = state.lookup.aliases.sourceOf(packet.destination)
  if (caller === undefined) return dropped('stray-alias', packet.source)
  const outcome = reply({ ...packet, destination: caller }, state, isPartial)
  if (REASONS[outcome.code]![0] === 'pass') return dropped('stray-alias', packet.source)
  if (outcome.output !== undefined) rewriteEnd(packet, 'destination', caller, 0, isPartial)
  return outcome
}

/** Of ICMP only echo replies come from an endpoint. */
export const isAnswer = (packet: Packet): boolean =>
  isRewritable(packet) && (!isIcmp(packet) || packet.isLaterFragment || isEchoReply(packet))

function hasAsked(packet: Packet, way: EndpointWay, { table, lookup, now }: PipelineState): boolean {
  const key = sourceKey(way, packet.destination)
  return table.answered(key, way.container.id, packet, now, lookup.idleOf(key.scope))
}

function flowReply(
  packet: Packet,
  asked: readonly EndpointWay[],
  state: PipelineState,
  isPartial: boolean,
): Outcome {
  const way = wayOfFlow(asked, packet, state.flows)
  if (way !== undefined) return rewritten(packet, way, 'flow', isPartial)
  const only = onlyWay(asked)
  if (only !== undefined) return rewritten(packet, only, 'endpoint', isPartial)
  return isOnlyByFlow(asked) ? passed('unknown-flow', packet) : dropped('unknown-flow', packet.destination)
}

function rewritten(
  packet: Packet,
  way: EndpointWay,
  reason: 'endpoint' | 'flow',
  isPartial: boolean,
): Outcome {
  if (lacksChecksum(packet) && !isPartial) return dropped('no-checksum', packet.destination)
  const { source } = sourceKey(way, packet.destination)
  rewriteEnd(packet, 'source', way.front.address, way.front.port, isPartial)
  return leaving('reply', reason, packet, way, way.container.id, source)
}

import { isEchoReply, isIcmp, isRewritable, lacksChecksum, type Packet } from '../packet/packet.ts'
import { isIcmpError } from '../packet/quoted.ts'
import { type EndpointWay, sourceKey } from './lookup.ts'
import { codeOf, flowOf, type Outcome, wholePacket } from './outcome.ts'
import type { PipelineState } from './pipeline.ts'
import { replyQuoted } from './quoted.ts'
import { rewriteEnd } from './rewrite.ts'

/**
 * A packet from a container: an answer to rewrite when its endpoint serves a public address and its client
 * came through that and went to this container; otherwise it is none of onehop's business.
 */
export function reply(packet: Packet, state: PipelineState, isPartial: boolean): Outcome {
  if (isIcmpError(packet)) return replyQuoted(packet, state, isPartial)
  const ways = isAnswer(packet) ? state.lookup.endpointWays(packet) : []
  if (ways.length === 0) return pass(packet, 'not-ours')
  const asked = ways.filter((way) => hasAsked(packet, way, state))
  if (asked.length === 0) return pass(packet, 'unknown-client')
  if (lacksChecksum(packet) && !isPartial) return drop(packet, 'no-checksum')
  return ways.length === 1
    ? endpointReply(packet, ways[0]!, isPartial)
    : flowReply(packet, asked, state, isPartial)
}

/** Of ICMP only echo replies come from an endpoint. */
const isAnswer = (packet: Packet): boolean =>
  isRewritable(packet) && (!isIcmp(packet) || packet.isFragment || isEchoReply(packet))

function hasAsked(packet: Packet, way: EndpointWay, { table, lookup, now }: PipelineState): boolean {
  const key = sourceKey(way, packet.destination)
  return table.answered(key, way.container.id, packet, now, lookup.idleOf(key.scope))
}

function endpointReply(packet: Packet, way: EndpointWay, isPartial: boolean): Outcome {
  return rewritten(packet, way, 'endpoint', isPartial)
}

function flowReply(
  packet: Packet,
  asked: readonly EndpointWay[],
  state: PipelineState,
  isPartial: boolean,
): Outcome {
  const end = state.flows.lookup(flowOf(packet, 'destination', packet.source, packet.sourcePort))
  const way = asked.find(
    ({ front }) => front.address === end?.address && (front.protocol === 0 || front.port === end.port),
  )
  if (way !== undefined) return rewritten(packet, way, 'flow', isPartial)
  return drop(packet, 'unknown-flow')
}

function rewritten(
  packet: Packet,
  way: EndpointWay,
  reason: 'endpoint' | 'flow',
  isPartial: boolean,
): Outcome {
  const { source } = sourceKey(way, packet.destination)
  rewriteEnd(packet, 'source', way.front.address, way.front.port, isPartial)
  return {
    code: codeOf('reply', reason),
    service: way.service.id,
    container: way.container.id,
    output: wholePacket(packet),
    source,
  }
}

const pass = (packet: Packet, reason: 'not-ours' | 'unknown-client'): Outcome => ({
  code: codeOf('pass', reason),
  service: 0,
  container: 0,
  output: wholePacket(packet),
  source: packet.source,
})

const drop = (packet: Packet, reason: 'no-checksum' | 'unknown-flow'): Outcome => ({
  code: codeOf('drop', reason),
  service: 0,
  container: 0,
  output: undefined,
  source: packet.destination,
})

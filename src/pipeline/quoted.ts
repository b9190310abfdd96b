import { load16, store16 } from '../packet/bytes.ts'
import { fold, sumOf, updateChecksum, wordDelta } from '../packet/checksum.ts'
import { ICMP } from '../packet/icmp.ts'
import { isEchoReply, isEchoRequest, isIcmp, isRewritable, type Packet } from '../packet/packet.ts'
import { otherWay, parseQuoted } from '../packet/quoted.ts'
import { TCP } from '../packet/tcp.ts'
import { onlyWay, wayOfFlow } from './asked.ts'
import { pastOf } from './choose.ts'
import { decide } from './decide.ts'
import { disguise } from './hairpin.ts'
import {
  addressOf,
  type EndpointWay,
  endpointPort,
  isOneWay,
  isOnlyByFlow,
  needsFlow,
  sourceKey,
} from './lookup.ts'
import { dropped, leaving, type Outcome, passed } from './outcome.ts'
import type { PipelineState } from './pipeline.ts'
import { rewriteEnd } from './rewrite.ts'

/**
 * ICMP errors about packets that onehop rewrote. Whoever sent one, it concerns the flow that it quotes: the quoted
 * packet decides, and is restored to what the error's receiver had sent (RFC 5508 section 4). Nothing is remembered
 * or proved by an error, for anyone who can guess a flow can make one up.
 *
 * Containers see local sources under their aliases (hairpin.ts), those of errors too: one that a container causes itself
 * must not come from its own address.
 */

/** To a public address, about an answer that went out from there: to the container that sent the answer. */
export function forwardQuoted(packet: Packet, state: PipelineState, isPartial: boolean): Outcome {
  const quoted = parseQuoted(packet)
  const { lookup } = state
  if (quoted === undefined || quoted.source !== packet.destination || !isOfFlow(quoted, isEchoReply))
    return dropped('unrelated', packet.source)
  if (lookup.aliases.isAlias(quoted.destination)) return dropped('unrelated', packet.source)
  const request = otherWay(quoted)
  const way = lookup.way(request)
  if (way === undefined) return dropped(quoted.isLaterFragment ? 'fragment' : 'unrelated', packet.source)

  const key = sourceKey(way, request.source)
  const entry = state.table.lookup(key, state.now, lookup.idleOf(key.scope))
  const decision = decide(request, way, lookup, entry, pastOf(state, 'peek'))
  if (!('member' in decision)) return dropped(decision.reason, packet.source, way.service.id)

  const { member } = decision
  const address = addressOf(member.container, packet.destination)!
  rewriteQuoted(packet, quoted, isPartial, () => {
    rewriteEnd(quoted, 'source', address, endpointPort(way.front, member), false)
    disguise(quoted, 'destination', lookup.aliases, false)
  })
  rewriteEnd(packet, 'destination', address, 0, isPartial)
  disguise(packet, 'source', lookup.aliases, isPartial)
  return leaving('forward', 'quoted', packet, way, member.container.id, key.source)
}

/** From the containers' side, about a request: to the client, who knows nothing but the public address. */
export function replyQuoted(packet: Packet, state: PipelineState, isPartial: boolean): Outcome {
  const quoted = parseQuoted(packet)
  if (quoted === undefined || !isOfFlow(quoted, isEchoRequest)) return passed('not-ours', packet)
  const client = state.lookup.aliases.sourceOf(quoted.source) ?? quoted.source
  if (client !== packet.destination) return passed('not-ours', packet)
  const answer = { ...otherWay(quoted), destination: client }
  const ways = state.lookup.endpointWays(answer)
  if (ways.length === 0) return passed('not-ours', packet)
  const asked = ways.filter((way) => hasAsked(answer, way, state))
  if (asked.length === 0) return passed('unknown-client', packet)
  if (quoted.isLaterFragment && !isOneWay(ways)) return dropped('fragment', packet.source)
  const way = needsFlow(ways) ? (wayOfFlow(asked, answer, state.flows) ?? onlyWay(asked)) : ways[0]
  if (way === undefined)
    return isOnlyByFlow(asked) ? passed('unknown-flow', packet) : dropped('unknown-flow', packet.source)

  const { address, port } = way.front
  rewriteQuoted(packet, quoted, isPartial, () => {
    rewriteEnd(quoted, 'destination', address, port, false)
    if (client !== quoted.source) rewriteEnd(quoted, 'source', client, 0, false)
  })
  rewriteEnd(packet, 'source', address, 0, isPartial)
  return leaving('reply', 'quoted', packet, way, way.container.id, sourceKey(way, packet.destination).source)
}

/** Of ICMP only echo belongs to a flow: an error about an error, say, does not. */
const isOfFlow = (quoted: Packet, isEcho: (packet: Packet) => boolean): boolean =>
  isRewritable(quoted) && (!isIcmp(quoted) || !quoted.hasTransport || isEcho(quoted))

function hasAsked(answer: Packet, way: EndpointWay, { table, lookup, now }: PipelineState): boolean {
  const key = sourceKey(way, answer.destination)
  return table.lookup(key, now, lookup.idleOf(key.scope))?.container === way.container.id
}

/**
 * Runs `rewrite` on what an error quotes. ICMP's checksum covers that, so it changes by what changed in the quoted headers;
 * a partial one is finished by the device that sums up the bytes as they then are.
 */
function rewriteQuoted(packet: Packet, quoted: Packet, isPartial: boolean, rewrite: () => void): void {
  // Up to the last field that changes; an even length, as the quote starts a word of the checksum's.
  const end = Math.min(quoted.length, quoted.transport + TCP.checksum + 2) & ~1
  const before = fold(sumOf(quoted.bytes, 0, end))
  rewrite()
  const delta = wordDelta(before, fold(sumOf(quoted.bytes, 0, end)))
  const at = packet.transport + ICMP.checksum
  if (!isPartial) store16(packet.bytes, at, updateChecksum(load16(packet.bytes, at), delta))
}

import type { Packet } from '../packet/packet.ts'
import type { FlowTable } from '../table/flows.ts'
import { type EndpointWay, isOnlyByFlow } from './lookup.ts'
import { flowOf } from './outcome.ts'

/** Of the ways that a client has asked by, the one that the flow of this answer went through; undefined: none is remembered. */
export function wayOfFlow(
  asked: readonly EndpointWay[],
  answer: Packet,
  flows: FlowTable,
): EndpointWay | undefined {
  const end = flows.lookup(flowOf(answer, 'destination', answer.source, answer.sourcePort))
  return asked.find(
    ({ front }) => front.address === end?.address && (front.protocol === 0 || front.port === end.port),
  )
}

/** A client that uses one public end alone can have meant no other, whatever is remembered of its flows. */
export const onlyWay = (asked: readonly EndpointWay[]): EndpointWay | undefined =>
  asked.length === 1 && !isOnlyByFlow(asked) ? asked[0] : undefined

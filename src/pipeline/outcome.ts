import type { Address } from '../address.ts'
import { load16 } from '../packet/bytes.ts'
import { ICMP } from '../packet/icmp.ts'
import type { Packet } from '../packet/packet.ts'
import type { Flow } from '../table/flows.ts'
import { REASONS, type Reason, type ReasonOf, VERDICTS, type Verdict } from './verdict.ts'

/** What became of one packet. Absent fields do not apply to the verdict. */
export interface Outcome {
  /** Position in REASONS. */
  readonly code: number
  /** Ids in the snapshot; 0: none. */
  readonly service: number
  readonly container: number
  /** The packet that leaves: rewritten, answered or unchanged; undefined when dropped. */
  readonly output: Uint8Array | undefined
  /** The client's address as the table knows it; undefined when the packet names none. */
  readonly source: Address | undefined
}

const CODES = new Map(VERDICTS.map((verdict) => [verdict, codesOf(verdict)]))

function codesOf(verdict: Verdict): ReadonlyMap<Reason, number> {
  return new Map(REASONS.flatMap(([of, reason], code) => (of === verdict ? [[reason, code] as const] : [])))
}

/** The code of a verdict with its reason; throws for a pair that is not in REASONS, which is our mistake. */
export function codeOf(verdict: Verdict, reason: Reason): number {
  const code = CODES.get(verdict)?.get(reason)
  if (code === undefined) throw new Error(`no verdict ${verdict} with reason ${reason}`)
  return code
}

/** The bytes that leave: trailing link-layer padding stays behind. */
export const wholePacket = (packet: Packet): Uint8Array => packet.bytes.subarray(0, packet.length)

/** Rewritten, on its way between a client and a container. `source`: the client as the table knows it. */
export const leaving = <Of extends 'forward' | 'reply'>(
  verdict: Of,
  reason: ReasonOf<Of>,
  packet: Packet,
  { service }: { readonly service: { readonly id: number } },
  container: number,
  source: Address,
): Outcome => ({
  code: codeOf(verdict, reason),
  service: service.id,
  container,
  output: wholePacket(packet),
  source,
})

export const passed = (reason: ReasonOf<'pass'>, packet: Packet): Outcome => ({
  code: codeOf('pass', reason),
  service: 0,
  container: 0,
  output: wholePacket(packet),
  source: packet.source,
})

/** `source`: the client, whichever end of the packet it is; undefined when it could not be read. */
export const dropped = (reason: ReasonOf<'drop'>, source: Address | undefined, service = 0): Outcome => ({
  code: codeOf('drop', reason),
  service,
  container: 0,
  output: undefined,
  source,
})

/**
 * The flow of a request at the endpoint it was sent to, or of the endpoint's answer. A program that sends echo requests
 * tells its own by their identifier, which stands for the client's port.
 */
export const flowOf = (
  packet: Packet,
  client: 'source' | 'destination',
  endpoint: Address,
  endpointPort: number,
): Flow => ({
  protocol: packet.protocol,
  client: packet[client],
  clientPort: packet.icmpType < 0 ? packet[`${client}Port`] : echoIdentifier(packet),
  endpoint,
  endpointPort,
})

const echoIdentifier = ({ bytes, transport }: Packet): number => load16(bytes, transport + ICMP.identifier)

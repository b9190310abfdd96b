import type { Packet } from '../packet/packet.ts'
import { TCP, TCP_ACK, TCP_RST, TCP_SYN } from '../packet/tcp.ts'

/**
 * How a source proves that it exists before it may take a place in the table. Whoever makes up source
 * addresses never sees the container's answers, so the proof is something only a receiver can know.
 *
 * TCP: a segment that acknowledges what the container sent (for a new connection the random number of its
 * SYN-ACK). Everything else: one more packet after the container has answered.
 */

/** A container's answer, as far as the proof needs it. */
export interface Challenge {
  readonly protocol: number
  /** TCP: the lowest acknowledgment number a receiver of the answer can send; 0 otherwise. */
  readonly expected: number
}

/** Acknowledgments this far beyond are believed: the answer may be followed by a window of data. */
const ACKNOWLEDGED_AHEAD = 0x10000

/** What an answer asks of its receiver; undefined when it can prove nothing (a TCP reset). */
export function challengeOf(answer: Packet): Challenge | undefined {
  if (answer.protocol !== TCP.protocol) return { protocol: answer.protocol, expected: 0 }
  if ((answer.tcpFlags & (TCP_RST | TCP_ACK)) !== TCP_ACK) return undefined
  const afterSyn = answer.tcpFlags & TCP_SYN ? 1 : 0
  return { protocol: TCP.protocol, expected: (answer.sequence + afterSyn) >>> 0 }
}

/** Whether a source's packet meets the challenge. */
export function provesSource(packet: Packet, challenge: Challenge): boolean {
  if (packet.protocol !== challenge.protocol) return false
  if (packet.protocol !== TCP.protocol) return true
  if ((packet.tcpFlags & (TCP_RST | TCP_SYN | TCP_ACK)) !== TCP_ACK) return false
  return (packet.acknowledgment - challenge.expected) >>> 0 < ACKNOWLEDGED_AHEAD
}

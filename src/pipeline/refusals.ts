import { type Packet, parsePacket } from '../packet/packet.ts'
import type { SnapshotLookup } from './lookup.ts'
import type { Outcome } from './outcome.ts'
import { isAnswer } from './reply.ts'
import { REASONS } from './verdict.ts'

/** A reason for which packets are dropped or refused, with how many have been and the last of them. */
export interface Refusal extends LastRefusal {
  readonly packets: number
  readonly bytes: number
}

export interface LastRefusal {
  /** Position in REASONS. */
  readonly code: number
  /** Milliseconds of the clock that packets are processed by. */
  readonly atMs: number
  /** Id of the service that it was for, or an answer of; 0: none's, or one of several. */
  readonly service: number
  /** A request goes to a public address, an answer comes from anywhere else; `none`: it cannot be read. */
  readonly direction: Direction
  /** Its checksum was left to a device. */
  readonly isPartial: boolean
  readonly length: number
  /** Its first KEPT_BYTES. */
  readonly beginning: Uint8Array
}

export type Direction = 'none' | 'request' | 'answer'

const KEPT_BYTES = 256
/** So often at most one of each reason is kept. */
const EVERY_MS = 100

/** Dropped, or answered that nobody serves it. */
export function isRefusal(code: number): boolean {
  const [verdict, reason] = REASONS[code]!
  return verdict === 'drop' || (verdict === 'answer' && reason !== 'echo')
}

/** Each reason once, though it may stand behind both verdicts. */
export const REFUSAL_REASONS: readonly string[] = [
  ...new Set(REASONS.flatMap(([, reason], code) => (isRefusal(code) ? [reason] : []))),
]

/** Of each reason the last packet's beginning. */
export class Refusals {
  readonly #last = new Map<number, LastRefusal>()

  /** `packet`: as it arrived; what is dropped or refused is not changed in place. */
  keep(
    packet: Uint8Array,
    isPartial: boolean,
    outcome: Outcome,
    lookup: SnapshotLookup,
    nowMs: number,
  ): void {
    const { code } = outcome
    const before = this.#last.get(code)
    if (before !== undefined && nowMs < before.atMs + EVERY_MS) return
    const parsed = parsePacket(packet)
    const isPacket = typeof parsed !== 'string' && REASONS[code]![1] !== 'bad-offload'
    this.#last.set(code, {
      code,
      atMs: nowMs,
      service: outcome.service || (isPacket ? serviceOf(parsed, lookup) : 0),
      direction: isPacket ? directionOf(parsed, lookup) : 'none',
      isPartial,
      length: packet.length,
      beginning: packet.slice(0, KEPT_BYTES),
    })
  }

  /** In the order of codes. */
  list(): readonly LastRefusal[] {
    return [...this.#last.values()].sort((a, b) => a.code - b.code)
  }
}

const directionOf = ({ destination }: Packet, lookup: SnapshotLookup): Direction =>
  lookup.isPublic(destination) ? 'request' : 'answer'

function serviceOf(packet: Packet, lookup: SnapshotLookup): number {
  if (lookup.isPublic(packet.destination)) return lookup.way(packet)?.service.id ?? 0
  const { aliases } = lookup
  const isStray = aliases.isAlias(packet.destination) && aliases.sourceOf(packet.destination) === undefined
  if (isStray || !isAnswer(packet)) return 0
  const ways = lookup.endpointWays(packet)
  return ways.length === 1 ? ways[0]!.service.id : 0
}

import type { Drops, DropsSource } from '../api/drops.ts'
import type { DataPlane, Refusal } from '../dataplane/dataplane.ts'
import { OnehopError } from '../errors.ts'
import type { Identities } from '../pipeline/identities.ts'
import { REFUSAL_REASONS } from '../pipeline/refusals.ts'
import { REASONS } from '../pipeline/verdict.ts'
import { ADVICE, type Advice } from './advice.ts'
import { describePacket, type SelfCheckReport } from './self-check.ts'

export interface DropsParts {
  readonly dataPlane: Pick<DataPlane, 'refusals'>
  readonly identities: Pick<Identities, 'serviceName'>
  readonly tun: () => string
  readonly selfCheck: Pick<SelfCheckReport, 'read'>
  /** When the data plane's clock was 0, by the wall's. */
  readonly zeroMs: () => number
}

/** Packets by code at a time. */
interface Reading {
  readonly atMs: number
  readonly packets: ReadonlyMap<number, number>
}

const MINUTE_MS = 60_000

/** Which packets have been dropped or refused, why, and the last of each reason. */
export class DropReport implements DropsSource {
  readonly #parts: DropsParts
  /** Of the last minute, oldest first. */
  #readings: readonly Reading[]

  constructor(parts: DropsParts) {
    this.#parts = parts
    this.#readings = [this.#take()]
  }

  /** To be called every few seconds, so that there is a minute to look back on. */
  step(): void {
    const reading = this.#take()
    this.#readings = [...this.#readings.filter(({ atMs }) => reading.atMs - atMs < MINUTE_MS), reading]
  }

  /** Throws E_USAGE for a reason that no packet is dropped or refused for. */
  read(reason: string | undefined): Drops {
    if (reason !== undefined && !REFUSAL_REASONS.includes(reason))
      throw new OnehopError(
        'E_USAGE',
        `"${reason}": no packet is dropped or refused for that; expected one of: ${REFUSAL_REASONS.join(', ')}`,
      )
    const refusals = this.#parts.dataPlane.refusals()
    const shown = refusals.filter(({ code }) => reason === undefined || REASONS[code]![1] === reason)
    return {
      tun: this.#parts.tun(),
      reasons: shown.map((refusal) => this.#describe(refusal)),
      selfCheck: this.#parts.selfCheck.read(),
    }
  }

  #describe(refusal: Refusal): Drops['reasons'][number] {
    const { code, packets, bytes, atMs, service, direction } = refusal
    const [verdict, reason] = REASONS[code]!
    const name = this.#parts.identities.serviceName(service)
    return {
      verdict,
      reason,
      packets,
      bytes,
      perSecond: this.#perSecond(code, packets),
      ...(ADVICE as Readonly<Record<string, Advice>>)[reason]!,
      last: {
        time: new Date(this.#parts.zeroMs() + atMs).toISOString(),
        direction,
        ...(name !== undefined && { service: name }),
        ...describePacket(refusal),
      },
    }
  }

  #perSecond(code: number, packets: number): number {
    const { atMs, packets: before } = this.#readings[0]!
    const seconds = Math.max(1, (performance.now() - atMs) / 1000)
    return Math.round(((packets - (before.get(code) ?? 0)) / seconds) * 100) / 100
  }

  #take(): Reading {
    const packets = this.#parts.dataPlane.refusals().map(({ code, packets }) => [code, packets] as const)
    return { atMs: performance.now(), packets: new Map(packets) }
  }
}

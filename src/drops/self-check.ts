import type { Logger } from 'pino'
import type { SelfCheck } from '../api/drops.ts'
import type { DataPlane, SeenPacket, WrongSum } from '../dataplane/dataplane.ts'
import { summarizePacket } from '../packet/summary.ts'
import type { Identities } from '../pipeline/identities.ts'
import { REASONS } from '../pipeline/verdict.ts'

export interface SelfCheckParts {
  readonly dataPlane: Pick<DataPlane, 'io' | 'lastWrong'>
  readonly identities: Pick<Identities, 'serviceName' | 'containerName'>
  readonly log: Pick<Logger, 'error'>
  /** When the data plane's clock was 0, by the wall's. */
  readonly zeroMs: () => number
}

/** What came of recomputing packets' checksums. */
export class SelfCheckReport {
  readonly #parts: SelfCheckParts
  #told = 0

  constructor(parts: SelfCheckParts) {
    this.#parts = parts
  }

  /** To be called every few seconds: raises the alarm, once for all that has gone wrong since. */
  step(): void {
    const { every: _, last, ...counts } = this.read()
    if (counts.wrong === this.#told) return
    this.#told = counts.wrong
    this.#parts.log.error({ ...counts, last }, 'self-check: checksums went wrong in here; see onehop drops')
  }

  read(): SelfCheck {
    const { selfCheck } = this.#parts.dataPlane.io()
    const wrong = this.#parts.dataPlane.lastWrong()
    return { ...selfCheck, ...(wrong && { last: this.#describe(wrong) }) }
  }

  #describe({ code, atMs, fault, service, container, arrived, left }: WrongSum): SelfCheck['last'] {
    const [verdict, reason] = REASONS[code]!
    const { identities, zeroMs } = this.#parts
    const [serviceName, containerName] = [
      identities.serviceName(service),
      identities.containerName(container),
    ]
    return {
      time: new Date(zeroMs() + atMs).toISOString(),
      fault,
      verdict,
      reason,
      ...(serviceName !== undefined && { service: serviceName }),
      ...(containerName !== undefined && { container: containerName }),
      arrived: describePacket(arrived),
      left: describePacket(left),
    }
  }
}

export const describePacket = ({ beginning, length, isPartial }: SeenPacket) => ({
  packet: summarizePacket(beginning, length),
  length,
  isPartial,
  bytes: Buffer.from(beginning).toString('hex'),
})

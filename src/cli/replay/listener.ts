import type { CapturedPacket } from '../../packet/capture.ts'
import { codeOf, type Outcome } from '../../pipeline/outcome.ts'
import { REASONS } from '../../pipeline/verdict.ts'
import { type CliContext, print } from '../context.ts'
import type { OfflineEngine } from '../offline.ts'
import { formatRows } from '../sections.ts'

/** Who hears of each packet's outcome. `flush` is awaited now and then, so that a slow reader is waited for. */
export interface Listener {
  /** An IP packet, before the engine changes it in place. */
  meet(packet: Uint8Array, nowSeconds: number): void
  /** `outcome` is undefined for a frame without an IP packet. */
  add(outcome: Outcome | undefined, captured: CapturedPacket): void
  flush(): Promise<void>
  end(): Promise<void>
  /** What the command exits with when all went well. */
  readonly exitCode: number
}

/** What is no IP packet never reaches a TUN: as if the kernel had kept it. */
const NOT_IP = codeOf('pass', 'not-ours')

export class JsonLines implements Listener {
  readonly exitCode = 0
  readonly #context: CliContext
  readonly #offline: OfflineEngine
  #lines: string[] = []
  #count = 0

  constructor(context: CliContext, offline: OfflineEngine) {
    this.#context = context
    this.#offline = offline
  }

  meet(): void {}

  add(outcome: Outcome | undefined): void {
    const [verdict, reason] = REASONS[NOT_IP]!
    const named = outcome === undefined ? { verdict, reason } : this.#offline.name(outcome)
    this.#lines.push(`${JSON.stringify({ n: ++this.#count, ...named })}\n`)
  }

  async flush(): Promise<void> {
    const text = this.#lines.join('')
    this.#lines = []
    if (text !== '') await print(this.#context.stdout, text)
  }

  end(): Promise<void> {
    return this.flush()
  }
}

export class Summary implements Listener {
  readonly exitCode = 0
  readonly #context: CliContext
  readonly #packets = REASONS.map(() => 0)
  #cutShort = 0

  constructor(context: CliContext) {
    this.#context = context
  }

  meet(): void {}

  add(outcome: Outcome | undefined, { capturedLength, originalLength }: CapturedPacket): void {
    const code = outcome?.code ?? NOT_IP
    this.#packets[code] = this.#packets[code]! + 1
    if (capturedLength < originalLength) this.#cutShort++
  }

  async flush(): Promise<void> {}

  async end(): Promise<void> {
    const rows = REASONS.map(([verdict, reason], code) => [verdict, reason, String(this.#packets[code])])
    const seen = rows.filter(([, , packets]) => packets !== '0')
    await print(this.#context.stdout, formatRows([['verdict', 'reason', 'packets'], ...seen]))
    if (this.#cutShort === 0) return
    const note = `${this.#cutShort} packets were captured only in part, and judged by that part`
    await print(this.#context.stderr, `onehop: ${note}\n`)
  }
}

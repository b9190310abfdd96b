import { type Address, formatAddress } from '../../address.ts'
import { parsePacket } from '../../packet/packet.ts'
import type { Outcome } from '../../pipeline/outcome.ts'
import type { Reason, Verdict } from '../../pipeline/verdict.ts'
import { type CliContext, print } from '../context.ts'
import type { NamedOutcome, OfflineEngine } from '../offline.ts'
import { formatRows } from '../sections.ts'
import type { Listener } from './listener.ts'

/** Where a config sends a packet. `reason` only where it goes to no container: how one was found is no difference. */
interface Place {
  readonly verdict: Verdict
  readonly reason?: Reason
  readonly service?: string
  readonly container?: string
}

/** A client's packets that one config sends here and the other there. */
interface Difference {
  readonly source: string
  readonly a: Place
  readonly b: Place
  packets: number
}

/** Clients, and differences, that are kept apart; packets of more are counted as not compared. */
const MOST = 1_000_000
const MOST_SHOWN = 20
const LINES_AT_ONCE = 4096

/**
 * Has a second engine, with config B, take the same packets, and names the clients that it sends elsewhere. Answers say
 * nothing of it: in the capture a container answers because A, or whoever was in force then, chose it.
 */
export class Comparison implements Listener {
  readonly #context: CliContext
  readonly #a: OfflineEngine
  readonly #b: OfflineEngine
  readonly #isJson: boolean
  readonly #clients = new Set<Address>()
  readonly #differences = new Map<string, Difference>()
  #packets = 0
  #leftOut = 0
  #client: Address | undefined
  #outcome: Outcome | undefined

  constructor(context: CliContext, a: OfflineEngine, b: OfflineEngine, isJson: boolean) {
    this.#context = context
    this.#a = a
    this.#b = b
    this.#isJson = isJson
  }

  get exitCode(): number {
    return this.#differences.size > 0 ? 1 : 0
  }

  meet(packet: Uint8Array, nowSeconds: number): void {
    const parsed = parsePacket(packet)
    this.#client = typeof parsed === 'string' ? undefined : parsed.source
    this.#outcome = this.#b.engine.process(packet.slice(), nowSeconds)
  }

  add(outcome: Outcome | undefined): void {
    if (outcome === undefined || this.#client === undefined) return
    const [a, b] = [this.#a.name(outcome), this.#b.name(this.#outcome!)]
    if (isOfAnAnswer(a) || isOfAnAnswer(b)) return
    if (!this.#clients.has(this.#client) && this.#isFull(this.#clients)) return
    this.#clients.add(this.#client)
    this.#packets++
    this.#compare(formatAddress(this.#client), placeOf(a), placeOf(b))
  }

  #compare(source: string, a: Place, b: Place): void {
    const [placeA, placeB] = [JSON.stringify(a), JSON.stringify(b)]
    if (placeA === placeB) return
    const key = `${source} ${placeA} ${placeB}`
    const known = this.#differences.get(key)
    if (known !== undefined) known.packets++
    else if (!this.#isFull(this.#differences)) this.#differences.set(key, { source, a, b, packets: 1 })
  }

  /** Counts what is left out then. */
  #isFull({ size }: { readonly size: number }): boolean {
    if (size < MOST) return false
    this.#leftOut++
    return true
  }

  async flush(): Promise<void> {}

  async end(): Promise<void> {
    const { stdout, stderr } = this.#context
    const differences = [...this.#differences.values()].sort((x, y) => y.packets - x.packets)
    const summary = {
      clients: this.#clients.size,
      differentClients: new Set(differences.map(({ source }) => source)).size,
      packets: this.#packets,
      differentPackets: differences.reduce((sum, { packets }) => sum + packets, 0),
    }
    if (this.#isJson) await this.#printLines([...differences, summary])
    else await print(stdout, formatDifferences(differences) + formatSummary(summary))
    if (this.#leftOut > 0)
      await print(stderr, `onehop: ${this.#leftOut} packets of more than ${MOST} clients were not compared\n`)
  }

  async #printLines(values: readonly object[]): Promise<void> {
    for (let at = 0; at < values.length; at += LINES_AT_ONCE) {
      const lines = values.slice(at, at + LINES_AT_ONCE).map((value) => `${JSON.stringify(value)}\n`)
      await print(this.#context.stdout, lines.join(''))
    }
  }
}

const isOfAnAnswer = ({ verdict, reason }: NamedOutcome): boolean =>
  verdict === 'reply' || reason === 'quoted'

const placeOf = ({ verdict, reason, service, container }: NamedOutcome): Place => ({
  verdict,
  ...(container === undefined ? { reason } : {}),
  ...(service === undefined ? {} : { service }),
  ...(container === undefined ? {} : { container }),
})

function formatDifferences(differences: readonly Difference[]): string {
  if (differences.length === 0) return ''
  const rows = differences
    .slice(0, MOST_SHOWN)
    .map(({ source, a, b, packets }) => [
      source,
      formatServices(a, b),
      formatPlace(a),
      formatPlace(b),
      String(packets),
    ])
  const more = differences.length - MOST_SHOWN
  const rest = more > 0 ? `and ${more} more; --json names all\n` : ''
  return `${formatRows([['source', 'service', 'A', 'B', 'packets'], ...rows])}${rest}\n`
}

const formatPlace = ({ container, verdict, reason }: Place): string => container ?? `${verdict} ${reason}`

function formatServices({ service: a = '-' }: Place, { service: b = '-' }: Place): string {
  return a === b ? a : `${a} -> ${b}`
}

interface SummaryCounts {
  readonly clients: number
  readonly differentClients: number
  readonly packets: number
  readonly differentPackets: number
}

const formatSummary = ({ clients, differentClients, packets, differentPackets }: SummaryCounts): string =>
  `${differentClients} of ${clients} clients go elsewhere, with ${differentPackets} of ${packets} packets\n`

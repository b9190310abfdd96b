import { ErrorBudget } from '../pipeline/budget.ts'
import type { Family } from '../pipeline/candidates.ts'
import { SnapshotLookup } from '../pipeline/lookup.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { processPacket } from '../pipeline/pipeline.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import { REASONS } from '../pipeline/verdict.ts'
import { FlowTable } from '../table/flows.ts'
import { FragmentTable } from '../table/fragments.ts'
import { makeRows, type Rows } from '../table/rows.ts'
import { DistributionTable } from '../table/table.ts'
import { TurnCounters } from '../table/turns.ts'
import type { ChangeBatch, Counters, Engine, Offload, RowBatch, TableSizes, Traffic } from './dataplane.ts'

/** The specification one can read: the whole pipeline in TypeScript, plain and never tuned. */
export const createReferenceEngine = (sizes: TableSizes): Engine => new ReferenceEngine(sizes)

interface Tally {
  packets: number
  bytes: number
}

interface BothWays {
  readonly in: Tally
  readonly out: Tally
}

class ReferenceEngine implements Engine {
  readonly #sizes: TableSizes
  readonly #errors = new ErrorBudget()
  readonly #turns = new TurnCounters()
  readonly #reasons = REASONS.map(newTally)
  readonly #services = new Map<number, BothWays>()
  readonly #containers = new Map<number, BothWays>()
  #lookup: SnapshotLookup | undefined
  #table: DistributionTable | undefined
  #flows: FlowTable | undefined
  #fragments: FragmentTable | undefined

  constructor(sizes: TableSizes) {
    this.#sizes = sizes
  }

  /** The first snapshot's key stays the table's: a new key would lose every place in it. */
  publish(snapshot: Snapshot): void {
    this.#lookup = new SnapshotLookup(snapshot)
    this.#table ??= new DistributionTable(this.#sizes.capacity, this.#sizes.probation, snapshot.key)
    this.#flows ??= new FlowTable(this.#sizes.flows, snapshot.key)
    this.#fragments ??= new FragmentTable(this.#sizes.fragments, snapshot.key)
  }

  process(packet: Uint8Array, nowSeconds: number, offload?: Offload): Outcome {
    const state = { ...this.#published(), errors: this.#errors, turns: this.#turns, now: nowSeconds }
    const { length } = packet
    const outcome = processPacket(packet, state, offload)
    this.#count(outcome, length)
    return outcome
  }

  expire(nowSeconds: number): number {
    const { lookup, table } = this.#published()
    return table.expire(nowSeconds, (scope) => lookup.idleOf(scope))
  }

  rows(cursor: number, most: number): RowBatch {
    return this.#table?.rows(cursor, most) ?? { next: 0, rows: makeRows(0) }
  }

  find(rows: Rows): Rows {
    return this.#table?.find(rows) ?? makeRows(0)
  }

  findOnProbation(rows: Rows): Rows {
    return this.#table?.findOnProbation(rows) ?? makeRows(0)
  }

  sourcesOn(container: number): number {
    return this.#table?.sourcesOn(container) ?? 0
  }

  turn(service: number, family: Family): number {
    return this.#turns.peek(service, family)
  }

  changes(position: number, most: number): ChangeBatch {
    return this.#table?.changes(position, most) ?? { next: position, rows: makeRows(0), isLost: false }
  }

  put(rows: Rows, isWhole: boolean): number {
    return this.#published().table.put(rows, isWhole)
  }

  forget(rows: Rows): number {
    return this.#published().table.forget(rows)
  }

  counters(): Counters {
    return {
      received: this.#reasons.reduce(sumTallies, newTally()),
      reasons: this.#reasons,
      services: this.#services,
      containers: this.#containers,
      table: {
        entries: this.#table?.size ?? 0,
        capacity: this.#sizes.capacity,
        ...(this.#table?.counters ?? { probation: 0, moved: 0, full: 0, overQuota: 0, expired: 0 }),
      },
      scopes: new Map(this.#table?.sizes()),
    }
  }

  #published() {
    const [lookup, table, flows, fragments] = [this.#lookup, this.#table, this.#flows, this.#fragments]
    if (!lookup || !table || !flows || !fragments) throw new Error('no table before the first publish')
    return { lookup, table, flows, fragments }
  }

  #count(outcome: Outcome, bytes: number): void {
    add(this.#reasons[outcome.code]!, bytes)
    const [verdict] = REASONS[outcome.code]!
    if (verdict !== 'forward' && verdict !== 'reply') return
    const way = verdict === 'forward' ? 'in' : 'out'
    add(bothWays(this.#services, outcome.service)[way], bytes)
    add(bothWays(this.#containers, outcome.container)[way], bytes)
  }
}

const newTally = (): Tally => ({ packets: 0, bytes: 0 })

const sumTallies = (sum: Traffic, next: Traffic): Tally => ({
  packets: sum.packets + next.packets,
  bytes: sum.bytes + next.bytes,
})

function add(tally: Tally, bytes: number): void {
  tally.packets++
  tally.bytes += bytes
}

function bothWays(tallies: Map<number, BothWays>, id: number): BothWays {
  const found = tallies.get(id) ?? { in: newTally(), out: newTally() }
  tallies.set(id, found)
  return found
}

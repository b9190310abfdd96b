import type { Address } from '../address.ts'
import { ErrorBudget } from '../pipeline/budget.ts'
import type { Family } from '../pipeline/candidates.ts'
import { Forecast } from '../pipeline/forecast.ts'
import { SnapshotLookup } from '../pipeline/lookup.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { type PipelineState, processPacket } from '../pipeline/pipeline.ts'
import { isRefusal, type Refusal, Refusals } from '../pipeline/refusals.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import { REASONS } from '../pipeline/verdict.ts'
import { FlowTable } from '../table/flows.ts'
import { FragmentTable } from '../table/fragments.ts'
import { type Limit, NewSources } from '../table/new-sources.ts'
import { makeRows, type Rows } from '../table/rows.ts'
import { DistributionTable, NO_TURNOVER } from '../table/table.ts'
import { TurnCounters } from '../table/turns.ts'
import type {
  ChangeBatch,
  Counters,
  Engine,
  EngineForecast,
  Offload,
  Pairs,
  RowBatch,
  TableSizes,
  Traffic,
} from './dataplane.ts'

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

type Tables = Pick<PipelineState, 'table' | 'flows' | 'fragments' | 'newSources'>
type Published = Tables & Pick<PipelineState, 'lookup'>

class ReferenceEngine implements Engine {
  readonly #sizes: TableSizes
  readonly #errors = new ErrorBudget()
  readonly #turns = new TurnCounters()
  readonly #refusals = new Refusals()
  readonly #reasons = REASONS.map(newTally)
  readonly #services = new Map<number, BothWays>()
  readonly #containers = new Map<number, BothWays>()
  #state: Published | undefined

  constructor(sizes: TableSizes) {
    this.#sizes = sizes
  }

  /** The first snapshot's key stays the table's: a new key would lose every place in it. */
  publish(snapshot: Snapshot): void {
    this.#state = {
      lookup: new SnapshotLookup(snapshot),
      ...(this.#state === undefined ? this.#tables(snapshot.key) : tablesOf(this.#state)),
    }
  }

  process(packet: Uint8Array, nowSeconds: number, offload?: Offload): Outcome {
    const state = this.#published()
    const [errors, turns] = [this.#errors, this.#turns]
    const { length } = packet
    const outcome = processPacket(packet, { ...state, errors, turns, now: nowSeconds }, offload)
    this.#count(outcome, length)
    if (isRefusal(outcome.code))
      this.#refusals.keep(packet, offload?.needsChecksum ?? false, outcome, state.lookup, nowSeconds * 1000)
    return outcome
  }

  expire(nowSeconds: number): number {
    const { lookup, table } = this.#published()
    return table.expire(nowSeconds, (scope) => lookup.idleOf(scope))
  }

  rows(cursor: number, most: number): RowBatch {
    return this.#state?.table.rows(cursor, most) ?? { next: 0, rows: makeRows(0) }
  }

  find(rows: Rows): Rows {
    return this.#state?.table.find(rows) ?? makeRows(0)
  }

  findOnProbation(rows: Rows): Rows {
    return this.#state?.table.findOnProbation(rows) ?? makeRows(0)
  }

  sourcesOn(container: number): number {
    return this.#state?.table.sourcesOn(container) ?? 0
  }

  turn(service: number, family: Family): number {
    return this.#turns.peek(service, family)
  }

  limitOf(source: Address, nowSeconds: number): Limit | undefined {
    if (this.#state === undefined) return undefined
    const { newSources, lookup } = this.#state
    return newSources.limitOf(source, lookup.snapshot.newSources, nowSeconds)
  }

  forecast(snapshot: Snapshot, pairs: Pairs): EngineForecast {
    const { lookup, table } = this.#published()
    const forecast = new Forecast(lookup, new SnapshotLookup(snapshot), pairs, table, this.#turns)
    return { decide: (rows, nowSeconds) => forecast.decide(rows, nowSeconds), close: () => {} }
  }

  changes(position: number, most: number): ChangeBatch {
    return this.#state?.table.changes(position, most) ?? { next: position, rows: makeRows(0), isLost: false }
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
        entries: this.#state?.table.size ?? 0,
        capacity: this.#sizes.capacity,
        ...(this.#state?.table.counters ?? NO_TURNOVER),
      },
      scopes: new Map(this.#state?.table.sizes()),
    }
  }

  refusals(): readonly Refusal[] {
    return this.#refusals.list().map((last) => ({ ...last, ...this.#reasons[last.code]! }))
  }

  #tables(key: Uint8Array): Tables {
    return {
      table: new DistributionTable(this.#sizes.capacity, this.#sizes.probation, key),
      flows: new FlowTable(this.#sizes.flows, key),
      fragments: new FragmentTable(this.#sizes.fragments, key),
      newSources: new NewSources(key),
    }
  }

  #published(): Published {
    if (this.#state === undefined) throw new Error('no table before the first publish')
    return this.#state
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

const tablesOf = ({ table, flows, fragments, newSources }: Tables): Tables => ({
  table,
  flows,
  fragments,
  newSources,
})

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

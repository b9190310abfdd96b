import type { Address } from '../address.ts'
import type { ServiceConfig } from '../config/config.ts'
import type { Standing } from '../containers/container-list.ts'
import type { TableClock } from '../entries/translate.ts'
import type { Past } from '../pipeline/choose.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { SnapshotLookup } from '../pipeline/lookup.ts'
import type { Rows } from '../table/rows.ts'

/** What there is to look at: a daemon's, or a config with a saved table. */
export interface Situation {
  readonly lookup: SnapshotLookup
  readonly identities: Identities
  readonly table: ExplainedTable
  readonly clock: TableClock
  /** By name, with the operator's pins. */
  readonly service: (name: string) => ServiceConfig | undefined
  readonly standings: (service: ServiceConfig) => readonly Omit<Standing, 'service'>[]
  readonly isOperatorPin: (service: string, source: string) => boolean
}

export interface ExplainedTable extends Omit<Past, 'limitOf'> {
  limitOf(source: Address, nowSeconds: number): ReturnType<Past['limitOf']>
  find(rows: Rows): Rows
  findOnProbation(rows: Rows): Rows
}

/** As the next packet's decision would find it. */
export const pastOf = ({ table, clock }: Situation): Past => ({
  sourcesOn: (container) => table.sourcesOn(container),
  turn: (service, family) => table.turn(service, family),
  limitOf: (source) => table.limitOf(source, clock.nowSeconds()),
})

export const isoTime = (ms: number): string =>
  new Date(Math.round(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')

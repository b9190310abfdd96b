import type { TableOperator } from '../entries/operator.ts'
import type { WatchOperator } from '../watch/operator.ts'
import type { ContainersSource } from './containers.ts'
import type { DropsSource } from './drops.ts'
import type { EventsSource } from './events.ts'
import type { ExplainSource } from './explain.ts'
import type { PlanSource } from './plan.ts'
import type { RatesSource } from './rates.ts'
import type { LiveStatus } from './status.ts'

/** What the API may ask of the daemon; handlers of routes get it. */
export interface ApiSource {
  readonly containers: ContainersSource
  readonly table: Pick<
    TableOperator,
    'page' | 'source' | 'forget' | 'import' | 'scopes' | 'pins' | 'pin' | 'unpin'
  >
  readonly explainer: ExplainSource
  readonly plans: PlanSource
  readonly watch: Pick<WatchOperator, 'capture' | 'trace'>
  readonly rates: RatesSource
  readonly drops: DropsSource
  readonly events: EventsSource
  status(): LiveStatus
}

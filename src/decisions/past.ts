import { type Address, formatAddress, formatSource, lengthOf } from '../address.ts'
import { formatScope } from '../scope.ts'
import type { TableChange } from '../table/rows.ts'
import type { Origin } from '../table/table.ts'
import type { History, Past, Step } from './history.ts'
import type { LoggedState } from './record.ts'

/** Who served a client at a moment that is past, and why. Times in ISO 8601. */
export interface PastExplanation {
  readonly source: string
  readonly at: string
  /** Whether the daemon was at work then. */
  readonly daemon: 'at work' | 'not at work' | 'unknown'
  readonly log: {
    /** Its first and last record; missing: there is none. */
    readonly from?: string
    readonly to?: string
    /** Parts that could not be read, and changes that could not be logged. */
    readonly damaged: number
    readonly lost: number
  }
  readonly scopes: readonly PastScope[]
}

export interface PastScope {
  readonly scope: string
  /** The first of those that share it. */
  readonly services: readonly string[]
  readonly source: string
  /**
   * `log`: the log says it; `table`: nothing has changed since before the log begins; `no`: it was not remembered, and the
   * algorithm alone decided; `unlogged`: the log does not tell.
   */
  readonly known: 'log' | 'table' | 'no' | 'unlogged'
  readonly container?: string
  readonly origin?: Origin
  /** At this container; missing: longer than the log goes back. */
  readonly since?: string
  readonly from?: PastContainer
  /** What ended it, or ended before what was remembered. */
  readonly until?: string
  readonly end?: TableChange
  readonly next?: string
  /** The container, as it stood then. */
  readonly stood?: PastContainer
  /** Of a source that was not remembered: whom each service would have chosen. Missing: there is no config to ask. */
  readonly would?: readonly PastChoice[]
  /** Changes were lost between, that might say otherwise. */
  readonly isDoubtful: boolean
}

/** By the config in force now, its containers as they stood then; or why that cannot be known. */
export interface PastChoice {
  readonly service: string
  readonly reason?: string
  readonly container?: string
  /**
   * `service`: it is none any more; `family`: it has no address of the source's; `slow-start`: a container's share was still
   * growing; else the algorithm, which goes by turns or counts that are not logged.
   */
  readonly unknown?: string
}

export type StateThen = (container: string) => LoggedState | 'gone'

export type ChooseThen = (service: string, source: Address, stateThen: StateThen, atMs: number) => PastChoice

export interface PastContainer {
  readonly container: string
  readonly state: LoggedState['state'] | 'gone'
  readonly by?: string
  readonly why?: string
  readonly since?: string
}

export interface PastQuestion {
  readonly source: Address
  readonly atMs: number
  readonly service?: string | undefined
}

/** What the table says now, for sources of which the log says nothing; undefined: there is none to ask. */
export type TableNow = (
  scope: string,
  source: Address,
) => { readonly container: string; readonly origin: Origin; readonly sinceMs: number } | undefined

const MOST_SERVICES = 20

export function explainPast(
  { source, atMs, service }: PastQuestion,
  history: History,
  tableNow: TableNow | undefined,
  choose?: ChooseThen,
): PastExplanation {
  const { from, to, damaged, lost } = history
  const isBefore = from === undefined || atMs < from
  const pasts = history
    .pasts()
    .filter(({ scope }) => service === undefined || scope.services.includes(service))
  return {
    source: formatAddress(source),
    at: iso(atMs),
    daemon: isBefore ? 'unknown' : history.isAtWork ? 'at work' : 'not at work',
    log: {
      ...(from === undefined ? {} : { from: iso(from) }),
      ...(to === undefined ? {} : { to: iso(to) }),
      damaged,
      lost,
    },
    scopes: pasts.map((past) => {
      const services = past.scope.services.slice(0, MOST_SERVICES)
      const told = isBefore ? UNLOGGED : explainScope(past, atMs, history, tableNow)
      const isOpen = told.known === 'no' && history.isAtWork && choose !== undefined
      return {
        scope: formatScope(past.scope.name),
        services,
        source: formatSource(past.source, lengthOf(past.source, past.scope)),
        ...told,
        ...(isOpen
          ? {
              would: services.map((name) =>
                choose(name, source, (container) => history.stateThen(container), atMs),
              ),
            }
          : {}),
      }
    }),
  }
}

type Told = Omit<PastScope, 'scope' | 'services' | 'source'>

const UNLOGGED: Told = { known: 'unlogged', isDoubtful: false }

function explainScope(past: Past, atMs: number, history: History, tableNow: TableNow | undefined): Told {
  const { scope, source, before, after } = past
  const now = after === undefined ? tableNow?.(scope.name, source) : undefined
  const isDoubtful = past.isDoubtful && (now === undefined || now.container !== before?.container)
  const end = endOf(after)
  if (before !== undefined && before.container === undefined)
    return { known: 'no', until: iso(before.at), end: before.change, isDoubtful }
  if (before?.container !== undefined)
    return { known: 'log', ...stayOf(before, before.container, history), ...end, isDoubtful }
  if (after?.former !== undefined)
    return {
      known: 'log',
      container: after.former,
      stood: stoodAs(after.former, history),
      ...end,
      isDoubtful,
    }
  if (after !== undefined) return { known: 'no', isDoubtful }
  if (tableNow === undefined) return UNLOGGED
  if (now === undefined || now.sinceMs > atMs) return { known: 'no', isDoubtful: history.lost > 0 }
  const stays = { container: now.container, origin: now.origin, stood: stoodAs(now.container, history) }
  return { known: 'table', ...stays, isDoubtful: history.lost > 0 }
}

const stayOf = (step: Step, container: string, history: History): Partial<PastScope> => ({
  container,
  origin: step.origin,
  ...(step.since === undefined ? {} : { since: iso(step.since) }),
  ...(step.change === 'moved' && step.former !== undefined
    ? { from: containerAs(step.former, step.formerState ?? 'gone') }
    : {}),
  stood: stoodAs(container, history),
})

/** Another reason for the same container ends nothing. */
function endOf(after: Step | undefined): Partial<PastScope> {
  if (after === undefined || after.container === after.former) return {}
  const { at, change, container } = after
  return { until: iso(at), end: change, ...(container === undefined ? {} : { next: container }) }
}

const stoodAs = (container: string, history: History): PastContainer =>
  containerAs(container, history.stateThen(container))

function containerAs(container: string, stood: LoggedState | 'gone'): PastContainer {
  if (stood === 'gone') return { container, state: 'gone' }
  const { state, by, why, since } = stood
  return {
    container,
    state,
    ...(by === undefined ? {} : { by }),
    ...(why === undefined ? {} : { why }),
    ...(since === undefined ? {} : { since: iso(since) }),
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

import type { Config } from '../config/config.ts'
import { type Conditions, changedNames } from '../containers/conditions.ts'
import type { DecisionLog } from '../decisions/decision-log.ts'
import type { LoggedScope, LoggedState } from '../decisions/record.ts'
import { EventBus } from '../events/bus.ts'
import { conditionChanges, configChanges } from '../events/config-changes.ts'
import type { ContainerEvent, EventBody } from '../events/event.ts'
import { isWanted } from '../events/filter.ts'
import { EventOperator } from '../events/operator.ts'
import { indexScopes, type ScopeIndex, tellChange } from '../events/table-changes.ts'
import type { Identities } from '../pipeline/identities.ts'
import { changeOf, type Rows, rowCount } from '../table/rows.ts'

/** Tells as events what becomes of the config in force, of containers and of the table. */
export class Reporter {
  readonly #identities: Identities
  readonly #servicesOf: (container: string) => Iterable<string>
  readonly #bus = new EventBus(systemClock)
  readonly events = new EventOperator(this.#bus)
  /** As of the last that was told. */
  #told: Published | undefined
  #published: Published | undefined
  #scopes: { readonly config: Config; readonly index: ScopeIndex } | undefined
  /** What containers' checks failed with. */
  readonly #failures = new Map<string, string>()
  /** How those stand that are not simply ready, since when. */
  readonly #states = new Map<string, LoggedState>()
  #decisions: DecisionLog | undefined
  #isDue = false

  /** `servicesOf`: of a container of the config that was published last. */
  constructor(identities: Identities, servicesOf: (container: string) => Iterable<string>) {
    this.#identities = identities
    this.#servicesOf = servicesOf
  }

  /** What is told of the table and of containers from here on is logged, too. */
  logTo(decisions: DecisionLog): void {
    this.#decisions = decisions
    decisions.start()
  }

  /** As it was published last. */
  world(): {
    readonly scopes: readonly LoggedScope[]
    readonly states: Readonly<Record<string, LoggedState>>
  } {
    const { services } = this.#published!.config
    const names = services.flatMap(({ containers }) => containers.map(({ name }) => name))
    return {
      scopes: [...this.#indexOf(this.#published!.config)].map(([id, place]) => ({
        name: this.#identities.scopeName(id)!,
        ...place,
      })),
      states: Object.fromEntries(names.map((name) => [name, this.#states.get(name) ?? READY])),
    }
  }

  readonly tell = (event: EventBody): void => this.#bus.tell(event)

  noteFailure(container: string, failure: string | undefined): void {
    if (failure === undefined) this.#failures.delete(container)
    else this.#failures.set(container, failure)
  }

  /** What is in force is told of when the round is over: it is in force already, and publishing is what others wait for. */
  published(config: Config, conditions: Conditions): void {
    this.#published = { config, conditions }
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#compare()
    })
  }

  onChanges(rows: Rows): void {
    const config = this.#published?.config
    if (config === undefined) return
    this.#decisions?.onChanges(rows)
    const told = this.#tellWanted(rows, config)
    const scopes = this.#indexOf(config)
    for (let row = 0; row < rowCount(rows); row++)
      if (told.has(row)) continue
      else if (this.#bus.room('table') > 0) this.#bus.tell(tellChange(rows, row, scopes, this.#identities))
      else this.#bus.leaveOut({ type: 'table', change: changeOf(rows, row) })
  }

  onLost(count: number): void {
    this.#bus.leaveOut({ type: 'table', change: 'unread' }, count)
    this.#decisions?.onLost(count)
  }

  close(): void {
    this.events.close()
  }

  /** Who asks for some sources gets them before the rest takes the room. */
  #tellWanted(rows: Rows, config: Config): ReadonlySet<number> {
    const told = new Set<number>()
    const filters = [...this.events.filters].filter(({ source }) => source !== undefined)
    if (filters.length === 0) return told
    const scopes = this.#indexOf(config)
    for (let row = 0; row < rowCount(rows) && this.#bus.room('table asked for') > 0; row++) {
      const event = tellChange(rows, row, scopes, this.#identities)
      if (!filters.some((filter) => isWanted(event, filter))) continue
      this.#bus.tell(event, 'table asked for')
      told.add(row)
    }
    return told
  }

  #compare(): void {
    const [before, after] = [this.#told, this.#published!]
    this.#told = after
    if (before === undefined) return
    const changes = configChanges(before.config, after.config)
    if (changes.some(({ type }) => type === 'service')) this.#decisions?.reorder()
    const whyOf = (container: string) => this.#failures.get(container)
    const isTurned = changedNames(before.conditions, after.conditions).length > 0
    const turns = isTurned
      ? conditionChanges(before.conditions, after.conditions, this.#servicesOf, whyOf)
      : []
    for (const change of [...changes, ...turns]) {
      if (change.type === 'container' && change.change !== 'weight') this.#note(change, after.conditions)
      this.#bus.tell(change)
    }
  }

  /** A container that left one service may be in another. */
  #note({ container, change, by, why }: ContainerEvent, conditions: Conditions): void {
    const [service] = this.#servicesOf(container)
    const state = conditions.get(container)?.state ?? 'ready'
    const known = { ...(by === undefined ? {} : { by }), ...(why === undefined ? {} : { why }) }
    const isNew = change === 'added' && !this.#states.has(container)
    const was = isNew ? undefined : (this.#states.get(container) ?? READY)
    const logged = service === undefined ? undefined : { state, ...known, since: Date.now() }
    if (logged === undefined) this.#states.delete(container)
    else this.#states.set(container, logged)
    this.#decisions?.turned(container, was, logged)
  }

  #indexOf(config: Config): ScopeIndex {
    if (this.#scopes?.config !== config)
      this.#scopes = { config, index: indexScopes(config, this.#identities) }
    return this.#scopes.index
  }
}

const READY: LoggedState = { state: 'ready' }

interface Published {
  readonly config: Config
  readonly conditions: Conditions
}

const systemClock = {
  nowMs: () => Date.now(),
  after: (ms: number, act: () => void) => {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}

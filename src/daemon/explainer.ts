import type { Config, ServiceConfig } from '../config/config.ts'
import type { Standing } from '../containers/container-list.ts'
import type { DataPlane } from '../dataplane/dataplane.ts'
import type { DecisionLog } from '../decisions/decision-log.ts'
import { readHistory } from '../decisions/files.ts'
import { explainPast, type PastExplanation, type PastQuestion, type TableNow } from '../decisions/past.ts'
import { OnehopError } from '../errors.ts'
import { explain, type Question } from '../explain/explain.ts'
import type { Explanation, RouteExplanation, ServiceExplanation } from '../explain/explanation.ts'
import type { Situation } from '../explain/situation.ts'
import { type KernelWay, readKernelWay } from '../network/way.ts'
import { type Pins, serviceOf } from '../pins.ts'
import type { Identities } from '../pipeline/identities.ts'
import { SnapshotLookup } from '../pipeline/lookup.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import { entryOf, makeRows, rowCount, writeGone } from '../table/rows.ts'
import { nowSeconds, zeroMs } from './clock.ts'
import { chooseThen } from './past-choice.ts'

export interface ExplainerParts {
  readonly dataPlane: DataPlane
  readonly identities: Identities
  readonly pins: Pins
  readonly config: () => Config
  /** Undefined: it is off. */
  readonly decisions: () => DecisionLog | undefined
  readonly standings: (service: ServiceConfig) => readonly Standing[]
}

/** The kernel is asked for no more of them: each is two programs run. */
const MOST_ROUTES = 8

/** Explains by the snapshot in force and the data plane's own table. */
export class Explainer {
  readonly #parts: ExplainerParts
  #snapshot: Snapshot | undefined
  #lookup: SnapshotLookup | undefined
  /** One reading at a time: each takes a second of a processor where the log is large. */
  #reading: Promise<unknown> = Promise.resolve()

  constructor(parts: ExplainerParts) {
    this.#parts = parts
  }

  /** Its indexes are made when they are first asked for. */
  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot
    this.#lookup = undefined
  }

  async explain(question: Question): Promise<Explanation> {
    const explanation = explain(question, this.#situation())
    const routed = explanation.services.slice(0, MOST_ROUTES).map((service) => this.#routed(service))
    return {
      ...explanation,
      services: [...(await Promise.all(routed)), ...explanation.services.slice(MOST_ROUTES)],
    }
  }

  /** Throws E_USAGE where there is no log, E_SYSTEM where it cannot be read. */
  async explainPast(question: PastQuestion): Promise<PastExplanation> {
    const { decisions, config } = this.#parts
    if (question.atMs > Date.now())
      throw new OnehopError(
        'E_USAGE',
        `${new Date(question.atMs).toISOString()} is yet to come; expected a moment that is past`,
      )
    if (question.service !== undefined) serviceOf(config(), question.service)
    const log = decisions()
    if (log === undefined)
      throw new OnehopError('E_USAGE', 'no log of decisions: it is off (decisions: off, or store: off)')
    const reading = this.#reading.then(async () => {
      await log.flush()
      return await readHistory(log.status().path, question)
    })
    this.#reading = reading.catch(() => {})
    const history = await reading
    const weightOf = (service: ServiceConfig, container: string) =>
      this.#parts.standings(service).find((standing) => standing.container === container)?.weight ?? 0
    const choose = chooseThen(this.#parts.pins.applied(config()), this.#snapshot!.key, weightOf)
    return explainPast(question, history, this.#tableNow, choose)
  }

  readonly #tableNow: TableNow = (name, source) => {
    const { dataPlane, identities } = this.#parts
    const key = makeRows(1)
    writeGone(key, 0, { scope: identities.scope(name), source })
    const rows = dataPlane.find(key)
    if (rowCount(rows) === 0) return undefined
    const { container, origin, sinceSeconds } = entryOf(rows, 0)
    return {
      container: identities.containerName(container) ?? '',
      origin,
      sinceMs: zeroMs() + sinceSeconds * 1_000,
    }
  }

  #situation(): Situation {
    const { dataPlane, identities, pins, standings } = this.#parts
    this.#lookup ??= new SnapshotLookup(this.#snapshot!)
    const config = pins.applied(this.#parts.config())
    const byOperator = new Set(pins.list().map(({ service, source }) => `${service} ${source}`))
    return {
      lookup: this.#lookup,
      identities,
      table: dataPlane,
      clock: { nowSeconds, zeroMs },
      service: (name) => config.services.find((service) => service.name === name),
      standings,
      isOperatorPin: (service, source) => byOperator.has(`${service} ${source}`),
    }
  }

  async #routed(service: ServiceExplanation): Promise<ServiceExplanation> {
    const taken = service.containers.find(({ verdict }) => verdict === 'yes')
    if (taken?.address === undefined) return service
    return { ...service, route: this.#routeOf(await readKernelWay(taken.address)) }
  }

  /** Frames go to neighbours on a bridge; what lies behind a router, or is not resolved, is the kernel's to send. */
  #routeOf(way: KernelWay | undefined): RouteExplanation {
    const { bridges } = this.#parts.config().interfaces
    const isOnBridge = way?.mac !== undefined && way.via === undefined && bridges.includes(way.interface)
    return {
      by: isOnBridge ? 'bridge' : 'kernel',
      ...(way === undefined ? {} : { interface: way.interface }),
      ...(way?.mac === undefined ? {} : { mac: way.mac }),
      ...(way?.via === undefined ? {} : { via: way.via }),
      fastpath: this.#parts.dataPlane.io().fastpath.state,
    }
  }
}

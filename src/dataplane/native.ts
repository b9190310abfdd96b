import { type Address, addressBytes } from '../address.ts'
import { difference } from '../difference.ts'
import { type ErrorCode, OnehopError } from '../errors.ts'
import type { Family } from '../pipeline/candidates.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import type { Limit } from '../table/new-sources.ts'
import type { Rows } from '../table/rows.ts'
import { type Addon, type AddonEngine, loadAddon } from './addon.ts'
import type {
  ChangeBatch,
  Counters,
  DataPlane,
  Engine,
  EngineForecast,
  ForwarderOptions,
  IoCounters,
  Offload,
  Outcome,
  Pairs,
  Refusal,
  RowBatch,
  TableSizes,
  Taken,
  WatchOptions,
  WrongSum,
} from './dataplane.ts'
import { type Changes, encodeUpdate } from './encode.ts'

/** The pipeline in C++, without a device. Throws OnehopError when the addon is missing. */
export const createNativeEngine = (sizes: TableSizes): Engine => createNativeDataPlane(sizes)

/** The same on a TUN device. Stopped by itself, at the latest, when its JavaScript environment ends. */
export const createNativeDataPlane = (sizes: TableSizes): DataPlane => new NativeDataPlane(loadAddon(), sizes)

class NativeDataPlane implements DataPlane {
  readonly #engine: AddonEngine
  /** What the engine knows. */
  #known: Pick<Snapshot, 'key' | 'services'> | undefined

  constructor({ Engine }: Addon, sizes: TableSizes) {
    this.#engine = explained(() => new Engine(sizes))
  }

  publish(snapshot: Snapshot): void {
    explained(() => this.#engine.publish(encodeUpdate(snapshot, this.#changesTo(snapshot))))
    this.#known = { key: snapshot.key, services: snapshot.services }
  }

  /** Another key is a new beginning: what hashes to where has changed in every service. */
  #changesTo({ key, services }: Snapshot): Changes {
    const isWhole = this.#known?.key !== key
    const { gone, come } = difference(isWhole ? [] : this.#known!.services, services)
    const before = new Map(gone.map((service) => [service.id, service]))
    const changed = come.map((service) => ({ service, known: before.get(service.id) }))
    for (const { id } of come) before.delete(id)
    return { isWhole, gone: [...before.keys()], services: changed }
  }

  process(packet: Uint8Array, nowSeconds: number, offload?: Offload): Outcome {
    return explained(() => this.#engine.process(packet, nowSeconds, offload))
  }

  expire(nowSeconds: number): number {
    return explained(() => this.#engine.expire(nowSeconds))
  }

  counters(): Counters {
    const { services, containers, scopes, ...counters } = this.#engine.counters()
    return {
      ...counters,
      services: new Map(services),
      containers: new Map(containers),
      scopes: new Map(scopes),
    }
  }

  refusals(): readonly Refusal[] {
    return explained(() => this.#engine.refusals())
  }

  rows(cursor: number, most: number): RowBatch {
    return explained(() => this.#engine.rows(cursor, most))
  }

  find(rows: Rows): Rows {
    return explained(() => this.#engine.find(rows))
  }

  findOnProbation(rows: Rows): Rows {
    return explained(() => this.#engine.findOnProbation(rows))
  }

  sourcesOn(container: number): number {
    return explained(() => this.#engine.sourcesOn(container))
  }

  turn(service: number, family: Family): number {
    return explained(() => this.#engine.turn(service, family === 6))
  }

  limitOf(source: Address, nowSeconds: number): Limit | undefined {
    return explained(() => this.#engine.limitOf(addressBytes(source), nowSeconds))
  }

  forecast(snapshot: Snapshot, pairs: Pairs): EngineForecast {
    const encoded = encodeUpdate(snapshot, this.#changesTo(snapshot))
    const number = explained(() => this.#engine.forecast(encoded, pairs))
    return {
      decide: (rows, nowSeconds) => explained(() => this.#engine.foresee(number, rows, nowSeconds >>> 0)),
      close: () => this.#engine.endForecast(number),
    }
  }

  changes(position: number, most: number): ChangeBatch {
    return explained(() => this.#engine.changes(position, most))
  }

  put(rows: Rows, isWhole: boolean): number {
    return explained(() => this.#engine.put(rows, isWhole))
  }

  forget(rows: Rows): number {
    return explained(() => this.#engine.forget(rows))
  }

  start(options: ForwarderOptions): void {
    explained(() => this.#engine.start(options))
  }

  hold(tun: string, queues: number): void {
    explained(() => this.#engine.hold(tun, queues))
  }

  useBridges(names: readonly string[]): void {
    explained(() => this.#engine.useBridges(names))
  }

  useUplinks(names: readonly string[]): void {
    explained(() => this.#engine.useUplinks(names))
  }

  disturbances(): number {
    return this.#engine.disturbances()
  }

  reopen(): void {
    explained(() => this.#engine.reopen())
  }

  stop(isLeft = false): void {
    this.#engine.stop(isLeft)
  }

  io(): IoCounters {
    return this.#engine.io()
  }

  lastWrong(): WrongSum | undefined {
    return this.#engine.lastWrong()
  }

  watch(options: WatchOptions): number {
    return explained(() => this.#engine.watch(options))
  }

  take(watch: number, most: number): Taken {
    return explained(() => this.#engine.take(watch, most))
  }

  unwatch(watch: number): void {
    explained(() => this.#engine.unwatch(watch))
  }
}

/** What the addon refuses, as an error for people. */
function explained<T>(act: () => T): T {
  try {
    return act()
  } catch (cause) {
    const { code, message } = cause as Error & { code?: ErrorCode }
    if (code !== undefined) throw new OnehopError(code, message, { cause })
    throw new OnehopError('E_INPUT', `native engine: ${message}`, { cause })
  }
}

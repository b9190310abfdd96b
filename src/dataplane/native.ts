import { type ErrorCode, OnehopError } from '../errors.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import { type Addon, type AddonEngine, loadAddon } from './addon.ts'
import type {
  Counters,
  DataPlane,
  Engine,
  Entry,
  ForwarderOptions,
  IoCounters,
  Offload,
  Outcome,
  TableSizes,
} from './dataplane.ts'
import { encodeSnapshot } from './encode.ts'

/** The pipeline in C++, without a device. Throws OnehopError when the addon is missing. */
export const createNativeEngine = (sizes: TableSizes): Engine => createNativeDataPlane(sizes)

/** The same on a TUN device. Stopped by itself, at the latest, when its JavaScript environment ends. */
export const createNativeDataPlane = (sizes: TableSizes): DataPlane => new NativeDataPlane(loadAddon(), sizes)

const ENTRIES_AT_ONCE = 4096

class NativeDataPlane implements DataPlane {
  readonly #engine: AddonEngine

  constructor({ Engine }: Addon, sizes: TableSizes) {
    this.#engine = explained(() => new Engine(sizes))
  }

  publish(snapshot: Snapshot): void {
    explained(() => this.#engine.publish(encodeSnapshot(snapshot)))
  }

  process(packet: Uint8Array, nowSeconds: number, offload?: Offload): Outcome {
    return explained(() => this.#engine.process(packet, nowSeconds, offload))
  }

  expire(nowSeconds: number): number {
    return explained(() => this.#engine.expire(nowSeconds))
  }

  *entries(): Iterable<Entry> {
    let cursor = 0
    do {
      const { next, entries } = this.#engine.entries(cursor, ENTRIES_AT_ONCE)
      yield* entries
      cursor = next
    } while (cursor !== 0)
  }

  counters(): Counters {
    const { services, containers, ...counters } = this.#engine.counters()
    return { ...counters, services: new Map(services), containers: new Map(containers) }
  }

  start(options: ForwarderOptions): void {
    explained(() => this.#engine.start(options))
  }

  stop(): void {
    this.#engine.stop()
  }

  io(): IoCounters {
    return this.#engine.io()
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

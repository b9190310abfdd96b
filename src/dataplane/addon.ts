import { createRequire } from 'node:module'
import { OnehopError } from '../errors.ts'
import type { Limit } from '../table/new-sources.ts'
import type { Rows } from '../table/rows.ts'
import type {
  ChangeBatch,
  Counters,
  ForwarderOptions,
  IoCounters,
  Judgements,
  Offload,
  Outcome,
  Pairs,
  Refusal,
  RowBatch,
  SumFault,
  TableSizes,
  Taken,
  Traffic,
  WatchOptions,
  WrongSum,
} from './dataplane.ts'

/** What native/src/addon/addon.cc exports. Every call throws an Error for arguments of the wrong type or range. */
export interface Addon {
  readonly Engine: new (sizes: TableSizes) => AddonEngine
  readonly EchoSocket: new (isV6: boolean, onReply: (nonce: Uint8Array) => void) => AddonEchoSocket
  /** Why the fast path cannot be had here, or undefined. */
  fastPathProblem(): string | undefined
  /** Takes away what a killed daemon of this TUN left attached to interfaces. */
  clearFastPath(tun: string): void
  /** What such a one was serving, pinned in this folder: rows with its numbers. Empty where nothing can be read. */
  fastPathLeft(folder: string): Rows
  /** Names the form of what is pinned; another one cannot be read. Empty: there is no fast path. */
  readonly fastPathLayout: string
  /** Whether this process has no capabilities but these, by their numbers, and can get none. */
  isConfined(capabilities: readonly number[]): boolean
  /** Gives up all other capabilities and runs `argv` in the place of this process; returns only by throwing. */
  confine(capabilities: readonly number[], argv: readonly string[]): never
  /** Locks an open file for as long as it is open (flock(2)); false: somebody else has. */
  tryLock(file: number): boolean
  /** Which checksum of a packet is wrong in another way as it leaves than as it arrived. `code`: what became of it. */
  sumFault(
    code: number,
    arrived: Uint8Array,
    arrivedOffload: Offload | undefined,
    left: Uint8Array,
    leftOffload: Offload | undefined,
  ): SumFault
  /** Leaves bytes for what `confine` runs: the number of a file that is open there. */
  leave(bytes: Uint8Array): number
  /** Ends the process at once, whatever its threads are at (_exit(2)). `code`: 0 to 255. */
  endNow(code: number): never
  /** `[verdict, reason]` by code. */
  readonly reasons: readonly (readonly [verdict: string, reason: string])[]
}

export interface AddonEchoSocket {
  /** `address`: 4 or 16 bytes; `nonce`: 8. */
  send(address: Uint8Array, nonce: Uint8Array): void
  close(): void
}

export interface AddonEngine {
  /** Throws, naming the field, for bytes that are no snapshot; the one in force stays. */
  publish(encoded: Uint8Array): void
  process(packet: Uint8Array, nowSeconds: number, offload: Offload | undefined): Outcome
  expire(nowSeconds: number): number
  rows(cursor: number, most: number): RowBatch
  find(rows: Rows): Rows
  findOnProbation(rows: Rows): Rows
  sourcesOn(container: number): number
  turn(service: number, isV6: boolean): number
  /** `address`: 4 or 16 bytes. */
  limitOf(address: Uint8Array, nowSeconds: number): Limit | undefined
  /** Returns the forecast's number. */
  forecast(encoded: Uint8Array, pairs: Pairs): number
  foresee(forecast: number, rows: Rows, nowSeconds: number): Judgements
  endForecast(forecast: number): void
  changes(position: number, most: number): ChangeBatch
  put(rows: Rows, isWhole: boolean): number
  forget(rows: Rows): number
  counters(): AddonCounters
  refusals(): readonly Refusal[]
  /** What the system or the network refuses has a `code`: E_SYSTEM or E_NETWORK. */
  start(options: ForwarderOptions): void
  hold(tun: string, queues: number): void
  useBridges(names: readonly string[]): void
  useUplinks(names: readonly string[]): void
  disturbances(): number
  reopen(): void
  stop(isLeft: boolean): void
  io(): IoCounters
  lastWrong(): WrongSum | undefined
  watch(options: WatchOptions): number
  take(watch: number, most: number): Taken
  unwatch(watch: number): void
}

type BothWays = { readonly in: Traffic; readonly out: Traffic }

export interface AddonCounters extends Omit<Counters, 'services' | 'containers' | 'scopes'> {
  readonly scopes: readonly (readonly [scope: number, entries: number])[]
  readonly services: readonly (readonly [id: number, traffic: BothWays])[]
  readonly containers: readonly (readonly [id: number, traffic: BothWays])[]
}

/** From src/dataplane and from dist/dataplane alike. */
const PATH = '../../native/build/Release/onehop.node'

/** The one place that finds the addon. Throws E_SYSTEM when it has not been built, or not for this Node. */
export function loadAddon(): Addon {
  try {
    return createRequire(import.meta.url)(PATH) as Addon
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const what = code === 'MODULE_NOT_FOUND' ? 'not found' : message
    throw new OnehopError('E_SYSTEM', `native addon: ${what}; build it with: npm run build:native`, { cause })
  }
}

import type { Config } from '../config/config.ts'
import { OnehopError } from '../errors.ts'
import { widened } from './intent.ts'
import { bringUp, moveContainers, type NetworkIntent, type NetworkOptions, networkIntent } from './network.ts'

export interface StandingListener {
  /** Makes it stand for what is wanted when this is called, by `apply`, and takes it into use. */
  bringUp(): Promise<void>
  /** Somebody took this away of what stood, and it stands again. */
  onMended(commands: readonly string[]): void
  /** It could not be made, and is tried again; told when the reason is another than before. */
  onFailure(error: unknown): void
}

const TRY_AGAIN_MS = 1_000
const MOST_AGAIN_MS = 8_000

/** The set-up of a daemon at work: which config it was last made for, and so whose answers come back. */
export class StandingNetwork {
  readonly #options: NetworkOptions | undefined
  readonly #listener: StandingListener
  /** What it was made for, and as whom it stands. */
  #config: Config | undefined
  /** Whose containers it stands for besides. */
  #next: Config | undefined
  #intent: NetworkIntent | undefined
  #turn: Promise<void> = Promise.resolve()
  #isFollowing = false
  #isBehind = false
  /** How often somebody may have taken something away, and the last time that was looked after. */
  #disturbances = 0
  #mended = 0
  #missing: readonly string[] = []
  #againMs = TRY_AGAIN_MS
  #retry: NodeJS.Timeout | undefined
  #failure: string | undefined

  /** `options` undefined: somebody else makes the set-up, and it is taken to be there. */
  constructor(options: NetworkOptions | undefined, listener: StandingListener) {
    this.#options = options
    this.#listener = listener
  }

  /** Why it does not stand for what is wanted. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Makes it stand for `config`; in turn. Throws OnehopError E_NETWORK, with the set-up as it was. */
  async apply(config: Config): Promise<void> {
    if (this.#options === undefined) return
    if (config === this.#config && this.#next === undefined && !this.#isDisturbed) return
    await this.#make(networkIntent(config), this.#options)
    this.#config = config
    this.#next = undefined
  }

  /**
   * Makes it stand for the containers of `next` besides, which is served a moment later: whom the one in force serves is served
   * until then. Nothing to do before the first `apply`, and nothing done where it cannot stand for both, because an interface
   * of the one in force is gone: what is wrong with `next`, `apply` says. In turn, as that.
   */
  async widen(next: Config): Promise<void> {
    if (this.#options === undefined || this.#config === undefined) return
    try {
      await this.#make(widened(networkIntent(this.#config), networkIntent(next)), this.#options)
      this.#next = next
    } catch (error) {
      if (!(error instanceof OnehopError)) throw error
    }
  }

  async #make(intent: NetworkIntent, options: NetworkOptions): Promise<void> {
    const disturbances = this.#disturbances
    const kept = this.#intent && keepBridges(intent, this.#intent)
    const isMoved = kept !== undefined && !this.#isDisturbed && (await tryMove(this.#intent!, kept))
    if (!isMoved) this.#missing = await bringUp(intent, options)
    this.#intent = isMoved ? kept : intent
    this.#mended = disturbances
  }

  /** What stands counts for nothing: the next `apply` reads the host and makes exactly what is wanted. */
  renew(): void {
    this.#intent = undefined
  }

  /**
   * Names of containers that it does not stand for yet. A client sent to one of them would be answered from the container's
   * own address, and the client's refusal would end the connection.
   */
  missing(config: Config): ReadonlySet<string> {
    if (this.#config === undefined || config === this.#config) return new Set()
    const made = [this.#config, this.#next].flatMap((one) => one ?? [])
    const standing = new Set(made.flatMap(addressesOf).map(({ address }) => address))
    const missing = addressesOf(config).filter(({ address }) => !standing.has(address))
    return new Set(missing.map(({ name }) => name))
  }

  /** What changes the set-up, one after the other. */
  inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const acted = this.#turn.then(act)
    this.#turn = acted.then(
      () => {},
      () => {},
    )
    return acted
  }

  /** Something of what stands may have been taken away. Resolves when it was made again, or could not be. */
  disturb(): Promise<void> {
    this.#disturbances++
    this.follow()
    return this.#turn
  }

  get #isDisturbed(): boolean {
    return this.#mended !== this.#disturbances
  }

  start(): void {
    this.#isFollowing = true
    this.follow()
  }

  /** Resolves when nothing changes the set-up any more. */
  async stop(): Promise<void> {
    this.#isFollowing = false
    clearTimeout(this.#retry)
    await this.#turn
  }

  /** Makes it stand for what is wanted when its turn comes; once, for all that was asked meanwhile. */
  follow(): void {
    if (!this.#isFollowing || this.#isBehind) return
    this.#isBehind = true
    this.inTurn(() => this.#catchUp())
  }

  async #catchUp(): Promise<void> {
    this.#isBehind = false
    clearTimeout(this.#retry)
    if (!this.#isFollowing) return
    try {
      const wasDisturbed = this.#isDisturbed
      this.#missing = []
      await this.#listener.bringUp()
      this.#failure = undefined
      this.#againMs = TRY_AGAIN_MS
      if (wasDisturbed && this.#missing.length > 0) this.#listener.onMended(this.#missing)
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#failure) this.#listener.onFailure(error)
      this.#failure = message
      this.#retry = setTimeout(() => this.follow(), this.#againMs)
      this.#againMs = Math.min(2 * this.#againMs, MOST_AGAIN_MS)
    }
  }
}

const addressesOf = ({ services }: Config) =>
  services.flatMap(({ containers }) =>
    containers.flatMap(({ name, address, address6 }) =>
      [address, address6].filter((own) => own !== undefined).map((own) => ({ name, address: own })),
    ),
  )

/**
 * A bridge whose last container has gone may stay in the set-up until that is made anew: the container that comes back is then
 * served within milliseconds, where a bridge more takes a tenth of a second.
 */
export const keepBridges = (wanted: NetworkIntent, standing: NetworkIntent): NetworkIntent =>
  wanted.bridges.every((bridge) => standing.bridges.includes(bridge))
    ? { ...wanted, bridges: standing.bridges }
    : wanted

/** Somebody may have taken the table away: then all is made anew. */
async function tryMove(from: NetworkIntent, to: NetworkIntent): Promise<boolean> {
  try {
    return await moveContainers(from, to)
  } catch {
    return false
  }
}

import type { State } from '../../containers/conditions.ts'
import { MOST_ITEMS } from '../source.ts'
import { type EngineContainer, type EngineNetwork, inspectContainer, inspectNetwork } from './container.ts'
import { Engine, type EngineEvent } from './engine.ts'

/** How often the engine is asked which containers it has, though it tells what changes: so that its silence is noticed. */
const ASK_AGAIN_MS = 30_000
const SIGKILL = 9

/** A running container with its state as the events have it, and the network behind each of its attachments. */
export interface Watched extends EngineContainer {
  readonly networks: ReadonlyMap<string, EngineNetwork>
}

export interface WatchListener {
  /** All that run and bear the labels, each time something about one of them has changed. */
  readonly onList: (containers: readonly Watched[], isCut: boolean) => void
  readonly signal: AbortSignal
}

/**
 * Follows the containers that bear all of `labels` (`key` or `key=value`). Rejects when the engine cannot be asked any
 * more, which ends its connections. Events come before the first list is read, so that nothing is missed between.
 */
export async function watchContainers(
  socketPath: string,
  labels: readonly string[],
  { onList, signal }: WatchListener,
): Promise<never> {
  const ending = new AbortController()
  const isOver = AbortSignal.any([signal, ending.signal])
  try {
    const engine = await Engine.connect(socketPath, isOver)
    return await new Watch(engine, labels, { onList, signal: isOver }).run()
  } finally {
    ending.abort()
  }
}

/** A health check is an `exec` of its own, every few seconds, which is not asked for. */
const EVENTS = {
  type: ['container', 'network'],
  event: [
    ...['start', 'kill', 'die', 'destroy', 'pause', 'unpause', 'rename', 'health_status'],
    ...['connect', 'disconnect'],
  ],
}

class Watch {
  readonly #engine: Engine
  readonly #labels: readonly string[]
  readonly #listener: WatchListener
  readonly #containers = new Map<string, EngineContainer>()
  readonly #networks = new Map<string, EngineNetwork>()
  /** Containers that were told to end, and what they are until they have, for as long as the process is the same. */
  readonly #ending = new Map<string, { readonly pid: number; readonly state: State }>()
  /** Being read; true: something happened since. */
  readonly #reading = new Map<string, boolean>()
  #isCut = false
  /** Whether all have been read once: before that there is nothing to tell. */
  #isComplete = false
  #isTelling = false
  #fail: (error: unknown) => void = () => {}

  constructor(engine: Engine, labels: readonly string[], listener: WatchListener) {
    this.#engine = engine
    this.#labels = labels
    this.#listener = listener
  }

  async run(): Promise<never> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    // Handled below, or nobody waits any more.
    failed.catch(() => {})
    const events = await this.#engine.events(EVENTS)
    const followed = this.#follow(events)
    followed.catch(() => {})
    await Promise.race([this.#readAll(), followed, failed])
    this.#isComplete = true
    this.#tell()
    const timer = setInterval(() => this.#readAll().catch(this.#fail), ASK_AGAIN_MS)
    this.#listener.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    return await Promise.race([followed, failed])
  }

  async #readAll(): Promise<void> {
    const listed = await this.#engine.containers({ label: this.#labels, status: ['running', 'paused'] })
    this.#isCut = listed.length > MOST_ITEMS
    const wanted = new Set(listed.slice(0, MOST_ITEMS))
    const changed = [
      ...[...wanted].filter((id) => !this.#containers.has(id)),
      ...[...this.#containers.keys()].filter((id) => !wanted.has(id)),
    ]
    await Promise.all(changed.map((id) => this.#read(id)))
  }

  async #follow(events: AsyncIterable<EngineEvent>): Promise<never> {
    for await (const event of events) this.#take(event)
    throw new Error('the engine ended the connection')
  }

  #take({ type, action, id, attributes }: EngineEvent): void {
    const container = type === 'network' ? attributes.container : id
    if (container === undefined) return
    if (type === 'container' && !bearsAll(attributes, this.#labels)) return
    const known = this.#containers.get(container)
    if (known !== undefined) this.#anticipate(known, action, attributes)
    this.#read(container).catch(this.#fail)
  }

  /** What an event alone says is in force at once: clients need not wait for the engine's answer about the rest. */
  #anticipate(known: EngineContainer, action: string, attributes: EngineEvent['attributes']): void {
    const { id, pid, stopSignal } = known
    const signal = Number(attributes.signal)
    if (action === 'kill' && signal === SIGKILL) this.#ending.set(id, { pid, state: 'down' })
    else if (action === 'kill' && signal === stopSignal) this.#ending.set(id, { pid, state: 'draining' })
    else if (action === 'die' || action === 'destroy') this.#containers.delete(id)
    else if (action === 'pause' || action === 'health_status: unhealthy')
      this.#containers.set(id, { ...known, state: 'down' })
    else return
    this.#tell()
  }

  /** One reading of a container at a time: what happens meanwhile makes its result worthless, and is read anew. */
  async #read(id: string): Promise<void> {
    if (this.#reading.has(id)) {
      this.#reading.set(id, true)
      return
    }
    let container: EngineContainer | undefined
    do {
      this.#reading.set(id, false)
      container = await inspectContainer(this.#engine, id)
      if (container !== undefined) await this.#readNetworks(container)
    } while (this.#reading.get(id))
    this.#reading.delete(id)
    this.#keep(id, container)
  }

  async #readNetworks({ attachments }: EngineContainer): Promise<void> {
    for (const { networkId } of attachments) {
      if (networkId === '' || this.#networks.has(networkId)) continue
      const network = await inspectNetwork(this.#engine, networkId)
      if (network !== undefined) this.#networks.set(networkId, network)
    }
  }

  #keep(id: string, container: EngineContainer | undefined): void {
    const isWanted = container !== undefined && bearsAll(container.labels, this.#labels)
    const hasRoom = this.#containers.has(id) || this.#containers.size < MOST_ITEMS
    if (isWanted && !hasRoom) this.#isCut = true
    if (isWanted && hasRoom) this.#containers.set(id, container)
    else this.#containers.delete(id)
    if (this.#ending.get(id)?.pid !== container?.pid) this.#ending.delete(id)
    this.#tell()
  }

  /** Many changes of one moment become one list. */
  #tell(): void {
    if (!this.#isComplete || this.#isTelling) return
    this.#isTelling = true
    setImmediate(() => {
      this.#isTelling = false
      if (this.#listener.signal.aborted) return
      this.#forgetNetworks()
      this.#listener.onList(
        [...this.#containers.values()].map((one) => this.#watched(one)),
        this.#isCut,
      )
    })
  }

  #forgetNetworks(): void {
    if (this.#reading.size > 0) return
    const used = new Set([...this.#containers.values()].flatMap(networkIdsOf))
    for (const id of this.#networks.keys()) if (!used.has(id)) this.#networks.delete(id)
  }

  #watched(container: EngineContainer): Watched {
    const ending = this.#ending.get(container.id)
    const state = ending === undefined || container.state === 'down' ? container.state : ending.state
    return { ...container, state, networks: this.#networks }
  }
}

const networkIdsOf = ({ attachments }: EngineContainer): readonly string[] =>
  attachments.map(({ networkId }) => networkId)

function bearsAll(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((one) => {
    const [key, value] = splitLabel(one)
    return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value)
  })
}

function splitLabel(label: string): [key: string, value: string | undefined] {
  const at = label.indexOf('=')
  return at < 0 ? [label, undefined] : [label.slice(0, at), label.slice(at + 1)]
}

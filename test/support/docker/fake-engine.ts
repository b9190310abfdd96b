import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A container as a test describes it; the engine adds what Docker would. */
export interface FakeContainer {
  readonly labels?: Readonly<Record<string, string>>
  /** Network's name → its addresses there. */
  readonly networks?: Readonly<Record<string, { readonly v4?: string; readonly v6?: string }>>
  readonly health?: 'starting' | 'healthy' | 'unhealthy'
  readonly paused?: boolean
  readonly stopSignal?: string
}

interface Standing extends FakeContainer {
  readonly id: string
  readonly name: string
  readonly pid: number
  readonly running: boolean
}

type Attributes = Readonly<Record<string, string>>
type Filters = Readonly<Record<string, readonly string[]>>

/**
 * The part of Docker's Engine API (v1.41) that lists, inspects and tells, on a unix socket of its own, with the answers'
 * shapes and the order of events as Docker documents them. What happens to containers is the test's to say.
 */
export class FakeEngine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'onehop-docker-'))
  readonly socket = join(this.#folder, 'docker.sock')
  readonly #containers = new Map<string, Standing>()
  readonly #drivers = new Map<string, string>()
  readonly #bridges = new Map([['bridge', 'docker0']])
  readonly #listeners = new Map<ServerResponse, Filters>()
  #server: Server | undefined
  #pids = 100
  /** Paths that were asked for. */
  readonly asked: string[] = []
  version = { ApiVersion: '1.41', MinAPIVersion: '1.12' }
  /** Called before each answer, with the path; may wait. */
  onAsk: (path: string) => void | Promise<void> = () => {}

  async start(): Promise<this> {
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.listen(this.socket)
    await once(this.#server, 'listening')
    return this
  }

  /** Ends every connection and takes the socket away; `start` brings it back with the containers as they are then. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.#listeners.clear()
    if (server === undefined) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** `bridge`: its interface's name, as `docker network create -o com.docker.network.bridge.name=…` sets it. */
  addNetwork(name: string, driver: string, bridge?: string): void {
    this.#drivers.set(name, driver)
    if (bridge !== undefined) this.#bridges.set(name, bridge)
  }

  run(name: string, container: FakeContainer): void {
    const standing = { ...container, id: idOf(name), name, pid: this.#pids++, running: true }
    this.#containers.set(name, standing)
    for (const network of Object.keys(container.networks ?? {})) this.#tellNetwork('connect', network, name)
    this.#tell('container', 'start', standing.id, this.#attributes(name))
  }

  /** Docker tells of the signal first, then of the end. */
  kill(name: string, signal: number): void {
    this.#tell('container', 'kill', this.#idOf(name), { ...this.#attributes(name), signal: String(signal) })
  }

  die(name: string): void {
    const attributes = this.#attributes(name)
    this.#change(name, { running: false })
    this.#tell('container', 'die', this.#idOf(name), { ...attributes, exitCode: '0' })
  }

  pause(name: string): void {
    this.#change(name, { paused: true })
    this.#tell('container', 'pause', this.#idOf(name), this.#attributes(name))
  }

  unpause(name: string): void {
    this.#change(name, { paused: false })
    this.#tell('container', 'unpause', this.#idOf(name), this.#attributes(name))
  }

  turn(name: string, health: 'healthy' | 'unhealthy'): void {
    this.#change(name, { health })
    this.#tell('container', `health_status: ${health}`, this.#idOf(name), this.#attributes(name))
  }

  rename(name: string, to: string): void {
    const standing = this.#containers.get(name)!
    this.#containers.delete(name)
    this.#containers.set(to, { ...standing, name: to })
    this.#tell('container', 'rename', standing.id, { ...this.#attributes(to), oldName: `/${name}` })
  }

  connect(name: string, network: string, addresses: { readonly v4?: string; readonly v6?: string }): void {
    const { networks } = this.#containers.get(name)!
    this.#change(name, { networks: { ...networks, [network]: addresses } })
    this.#tellNetwork('connect', network, name)
  }

  disconnect(name: string, network: string): void {
    const { [network]: _, ...networks } = this.#containers.get(name)!.networks ?? {}
    this.#change(name, { networks })
    this.#tellNetwork('disconnect', network, name)
  }

  /** What a health check makes an engine tell, every few seconds. */
  exec(name: string): void {
    this.#tell('container', 'exec_start: true', this.#idOf(name), this.#attributes(name))
  }

  #change(name: string, change: Partial<Standing>): void {
    this.#containers.set(name, { ...this.#containers.get(name)!, ...change })
  }

  #idOf(name: string): string {
    return this.#containers.get(name)!.id
  }

  #attributes(name: string): Attributes {
    return { ...this.#containers.get(name)!.labels, image: 'image', name }
  }

  #tellNetwork(action: string, network: string, name: string): void {
    const container = this.#containers.get(name)!.id
    this.#tell('network', action, idOf(network), { container, name: network, type: 'bridge' })
  }

  /** `health_status` in a filter stands for all of them; otherwise actions are equal or not. */
  #tell(type: string, action: string, id: string, attributes: Attributes): void {
    for (const [response, { type: types, event: events }] of this.#listeners)
      if (types?.includes(type) && events?.includes(action.replace(/^(health_status|exec_start):.*/, '$1')))
        response.write(
          `${JSON.stringify({ Type: type, Action: action, Actor: { ID: id, Attributes: attributes }, time: 0 })}\n`,
        )
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://docker')
    const path = url.pathname.replace(/^\/v[0-9.]+/, '')
    this.asked.push(url.pathname)
    await this.onAsk(path)
    const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as Filters
    if (path === '/events') return this.#listen(response, filters)
    const found = this.#find(path, filters)
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ?? { message: `No such object: ${path}` }))
  }

  #listen(response: ServerResponse, filters: Filters): void {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    this.#listeners.set(response, filters)
    response.on('close', () => this.#listeners.delete(response))
  }

  #find(path: string, filters: Filters): unknown {
    const [, kind, id] = path.split('/')
    if (path === '/version') return { Version: '20.10.24', ...this.version }
    if (path === '/containers/json') return this.#list(filters)
    if (kind === 'containers') return this.#inspect(id!)
    return kind === 'networks' ? this.#inspectNetwork(id!) : undefined
  }

  #list({ label = [], status = [] }: Filters): unknown {
    const bears = (labels: Attributes, wanted: string) => {
      const [key = '', value] = wanted.split('=')
      return key in labels && (value === undefined || labels[key] === value)
    }
    return [...this.#containers.values()]
      .filter(({ labels = {} }) => label.every((wanted) => bears(labels, wanted)))
      .filter(({ running, paused }) => status.includes(paused ? 'paused' : running ? 'running' : 'exited'))
      .map(({ id, name, labels = {} }) => ({ Id: id, Names: [`/${name}`], Labels: labels }))
  }

  #inspect(id: string): unknown {
    const found = [...this.#containers.values()].find((one) => one.id === id)
    if (found === undefined) return undefined
    const { name, running, paused = false, pid, health, labels = {}, stopSignal, networks = {} } = found
    return {
      Id: id,
      Name: `/${name}`,
      State: {
        Status: paused ? 'paused' : running ? 'running' : 'exited',
        Running: running,
        Paused: paused,
        Restarting: false,
        Pid: running ? pid : 0,
        ...(health === undefined ? {} : { Health: { Status: health, FailingStreak: 0 } }),
      },
      Config: { Labels: labels, ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }) },
      NetworkSettings: {
        Networks: Object.fromEntries(
          Object.entries(networks).map(([network, { v4 = '', v6 = '' }]) => [
            network,
            { NetworkID: idOf(network), IPAddress: running ? v4 : '', GlobalIPv6Address: running ? v6 : '' },
          ]),
        ),
      },
    }
  }

  #inspectNetwork(id: string): unknown {
    const names = [...this.#containers.values()].flatMap(({ networks = {} }) => Object.keys(networks))
    const name = names.find((one) => idOf(one) === id)
    if (name === undefined) return undefined
    const bridge = this.#bridges.get(name)
    const options = bridge === undefined ? {} : { 'com.docker.network.bridge.name': bridge }
    return { Id: id, Name: name, Driver: this.#drivers.get(name) ?? 'bridge', Options: options }
  }
}

/** 64 hexadecimal digits, as Docker's are. */
export const idOf = (name: string): string => createHash('sha256').update(name).digest('hex')

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { Status } from '../../../src/api/status.ts'
import { askDaemon } from '../../../src/cli/ask.ts'
import type { Daemon } from '../lab/daemon.ts'
import type { Running } from '../lab/running.ts'
import { untilTrue } from '../lab/until.ts'
import { type Container, clientAddress, type Lab, PUBLIC, startServer } from '../lab.ts'
import type { Mix } from './mix.ts'

/** Who comes and goes, who is stopped and started again, and who drains; the others only have other weights. */
const [COMES, STOPS, DRAINS, STAYS] = ['c4', 'c3', 'c2', 'c1'] as const
const containerOf = (lab: Lab): Container => lab.containers.find(({ name }) => name === STOPS)!
/** A server tells nobody of its requests: of an hour's there would be too many. */
export const QUIET = { http: [8080], udp: [5353], isQuiet: true } as const
/** The churn's own clients; nobody else asks from there, so that they may be moved at any time. */
const OWN = { first: 1_000, count: 9_000 }
const PINNED = clientAddress(900)

/** The small table is walked often; sources that were there once are forgotten within minutes. */
export function soakConfig(
  lab: Lab,
  fastpath: 'auto' | 'off',
  names: readonly string[],
  isServingOther = false,
) {
  const { services, ...rest } = lab.config(lab.containers.filter(({ name }) => names.includes(name)))
  const web = {
    ...services[0]!,
    affinity: { idle: '3m' },
    health: { type: 'tcp', interval: '1s', timeout: '5s', fall: 2, rise: 1 },
  }
  const other = { ...services[0]!, name: 'other', addresses: ['203.0.113.11'] }
  return {
    ...rest,
    table: { capacity: 65_536 },
    dataplane: { fastpath, selfCheck: 50 },
    services: isServingOther ? [web, other] : [web],
  }
}

/** What an operator does, again and again, beside the traffic: none of it may cost a request. */
export class Churn {
  readonly #lab: Lab
  readonly #daemon: Daemon
  readonly #mix: Mix
  readonly #fastpath: 'auto' | 'off'
  readonly #socket: string
  #stopping: Running
  #own = 0
  cycles = 0
  reloads = 0

  constructor(lab: Lab, daemon: Daemon, mix: Mix, fastpath: 'auto' | 'off') {
    this.#lab = lab
    this.#daemon = daemon
    this.#mix = mix
    this.#fastpath = fastpath
    this.#stopping = containerOf(lab).server
    this.#socket = daemon.commandLine('status').at(-1)!
  }

  async cycle(): Promise<void> {
    const events = this.#daemon.startAsking('events')
    await this.#containerComes()
    await this.#entriesChange()
    await this.#sharesChange()
    await this.#containerIsStopped()
    await this.#containerGoes()
    await events.stop('SIGINT')
    this.cycles++
  }

  async #containerComes(): Promise<void> {
    await this.#mix.allow(COMES)
    await this.#reload(this.#config([STAYS, DRAINS, STOPS, COMES], true))
    await untilTrue(async () => (await this.#askAnew()) === COMES, `${COMES} has clients`)
  }

  async #entriesChange(): Promise<void> {
    const file = this.#lab.path('soak.csv')
    writeFileSync(file, await this.#command('table', 'export'))
    const at = await this.#ask(PINNED)
    const container = at === STAYS ? DRAINS : STAYS
    await this.#api('/v1/table/pin', { service: 'web', source: PINNED, container })
    assert.equal(await this.#ask(PINNED), container)
    await this.#api('/v1/table/unpin', { service: 'web', source: PINNED })
    await this.#api('/v1/table/forget', { prefix: PINNED })
    await this.#ask(PINNED)
    await this.#command('table', 'import', file)
    await this.#command('explain', PINNED, '--port', '80/tcp')
    await this.#command('capture', '-w', '/dev/null', '--max-packets', '500', '--seconds', '2')
  }

  async #sharesChange(): Promise<void> {
    await this.#api('/v1/containers/weight', { names: [STAYS], weight: 3 })
    await this.#api('/v1/containers/drain', { names: [DRAINS] })
    for (let n = 0; n < 10; n++) assert.notEqual(await this.#askAnew(), DRAINS)
    await this.#api('/v1/containers/undrain', { names: [DRAINS] })
    await this.#api('/v1/containers/weight', { names: [STAYS], weight: 1 })
  }

  /** As a server is stopped that may not fail anybody: drained, left, ended. What takes it down is its health check. */
  async #containerIsStopped(): Promise<void> {
    await this.#api('/v1/containers/drain', { names: [STOPS] })
    await this.#mix.without(STOPS, async () => {
      await this.#stopping.stop()
      await this.#untilState(STOPS, 'down')
      await this.#api('/v1/containers/undrain', { names: [STOPS] })
    })
    await this.#mix.allow(STOPS)
    this.#stopping = startServer(containerOf(this.#lab).namespace, QUIET)
    await this.#untilState(STOPS, 'ready')
  }

  /** By a reload and by `apply`, in turn. */
  async #containerGoes(): Promise<void> {
    const config = this.#config([STAYS, DRAINS, STOPS])
    await this.#api('/v1/containers/drain', { names: [COMES] })
    await this.#mix.without(COMES, async () => {
      if (this.cycles % 2 === 0) return this.#reload(config)
      this.#daemon.writeConfig(config)
      await this.#command('apply', this.#daemon.configFile)
      this.reloads++
    })
  }

  #config(names: readonly string[], isServingOther = false) {
    return soakConfig(this.#lab, this.#fastpath, names, isServingOther)
  }

  async #reload(config: unknown): Promise<void> {
    const reloaded = () => this.#daemon.running.stdout.split('"msg":"reloaded"').length
    const before = reloaded()
    this.#daemon.writeConfig(config)
    this.#daemon.running.signal('SIGHUP')
    await this.#daemon.running.until(() => reloaded() > before, 'reloaded')
    this.reloads++
  }

  async #ask(from: string): Promise<string> {
    const agent = await this.#lab.client.agent()
    return (await agent.who(`http://${PUBLIC}/`, { from })).container
  }

  #askAnew(): Promise<string> {
    return this.#ask(clientAddress(OWN.first + (this.#own++ % OWN.count)))
  }

  #untilState(container: string, state: string): Promise<void> {
    return untilTrue(async () => {
      const { containers } = (await this.#api('/v1/status')) as Status
      return containers.some((one) => one.name === container && one.state === state)
    }, `${container} is ${state}`)
  }

  #api(path: string, body?: unknown): Promise<unknown> {
    return askDaemon({ socket: this.#socket, runDir: '', tun: '' }, path, body, 30_000)
  }

  async #command(command: string, ...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#daemon.ask(command, ...argv)
    assert.equal(code, 0, `onehop ${[command, ...argv].join(' ')}: ${stdout}${stderr}`)
    return stdout
  }
}

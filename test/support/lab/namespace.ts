import { readFileSync } from 'node:fs'
import { Agent } from './agent.ts'
import { Capture } from './capture.ts'
import { attempt, type Output, Running, type RunOptions, run, type StartOptions } from './running.ts'
import { untilTrue } from './until.ts'

/**
 * What a namespace's first process does: its own /sys, for that shows the interfaces of the namespace it was
 * mounted in (not allowed to a user whose /sys is partly hidden, and only conveniences depend on it); no waiting
 * for duplicate addresses; then it lives until its input closes, which the kernel sees to.
 */
const FIRST_PROCESS = `
mount -t sysfs sysfs /sys 2>/dev/null || true
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
echo 0 > /proc/sys/net/ipv6/conf/default/accept_ra
ip link set lo up
exec cat`

/** `LISTEN` in /proc/net/tcp; an unconnected UDP socket shows as TCP's closed. */
const LISTENING = { tcp: '0A', udp: '07' } as const

/**
 * A network namespace without a name: it lives as long as its first process does, and that as long as this
 * process, so that nothing can be left behind and any number can stand side by side.
 */
export class Namespace {
  readonly #first: Running
  readonly #started = new Set<Running>()
  #agent: Agent | undefined

  private constructor(
    readonly name: string,
    first: Running,
  ) {
    this.#first = first
  }

  static async open(name: string): Promise<Namespace> {
    const first = new Running(['unshare', '--net', '--mount', 'sh', '-euc', FIRST_PROCESS])
    first.child.stdin?.write('open\n')
    await first.until(({ stdout }) => stdout.includes('open\n'), `a namespace for ${name}`)
    return new Namespace(name, first)
  }

  /** Names the namespace to `ip link … netns PID`, `nsenter --target PID` and /proc/PID/net. */
  get pid(): number {
    return this.#first.pid
  }

  /** The command that runs `argv` in here. Its working directory is `/`. */
  inside(argv: readonly string[]): readonly string[] {
    return ['nsenter', '--target', String(this.pid), '--net', '--mount', '--', ...argv]
  }

  /** Runs to the end; resolves to standard output, rejects unless the exit code is 0. */
  run(argv: readonly string[], options?: RunOptions): Promise<string> {
    return run(this.inside(argv), options)
  }

  /** Runs to the end, whatever the exit code. */
  attempt(argv: readonly string[], options?: RunOptions): Promise<Output> {
    return attempt(this.inside(argv), options)
  }

  /** A shell script, every line of which must succeed. */
  script(text: string): Promise<string> {
    return this.run(['sh', '-eu'], { input: text })
  }

  /** Starts a process that `close` ends at the latest. */
  start(argv: readonly string[], options?: StartOptions): Running {
    const running = new Running(this.inside(argv), options)
    this.#started.add(running)
    const forget = () => this.#started.delete(running)
    running.exited.then(forget, forget)
    return running
  }

  /** What makes requests from in here. */
  async agent(): Promise<Agent> {
    this.#agent ??= await Agent.start(this)
    return this.#agent
  }

  capture(interfaceName: string, file: string, filter = ''): Promise<Capture> {
    return Capture.start(this, interfaceName, file, filter)
  }

  /** Waits until something listens on the port, on any address. */
  untilListening(protocol: 'tcp' | 'udp', port: number): Promise<void> {
    return untilTrue(() => this.#isListening(protocol, port), `${this.name} listens on ${port}/${protocol}`)
  }

  #isListening(protocol: 'tcp' | 'udp', port: number): boolean {
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
    return ['', '6'].some((family) =>
      readFileSync(`/proc/${this.pid}/net/${protocol}${family}`, 'utf8')
        .split('\n')
        .some((line) => {
          const [, address, , state] = line.trim().split(/\s+/)
          return address?.endsWith(local) && state === LISTENING[protocol]
        }),
    )
  }

  /** The MTU of the way to an address, as far as it differs from the link's: learnt, or the route's own. */
  async learntMtu(to: string): Promise<number | undefined> {
    const [route] = JSON.parse(await this.run(['ip', '-j', 'route', 'get', to]))
    return route.metrics?.[0]?.mtu
  }

  /** Writes a sysctl by its path under /proc/sys, e.g. `net/ipv4/ip_forward`. */
  async setSysctl(path: string, value: string | number): Promise<void> {
    await this.run(['sh', '-c', 'echo "$1" > "/proc/sys/$0"', path, String(value)])
  }

  /** Turns an interface's offloads on or off by ethtool's names: tx, rx, tso, gso, gro … */
  async setOffload(interfaceName: string, offload: Readonly<Record<string, boolean>>): Promise<void> {
    const words = Object.entries(offload).flatMap(([name, isOn]) => [name, isOn ? 'on' : 'off'])
    await this.run(['ethtool', '-K', interfaceName, ...words])
  }

  /** Ends everything in it; the kernel then removes its interfaces, routes, rules and tables. */
  async close(): Promise<void> {
    this.kill()
    await Promise.allSettled([...[...this.#started].map(({ exited }) => exited), this.#first.exited])
  }

  /** As `close`, without waiting: for signal and exit handlers. */
  kill(): void {
    for (const running of this.#started) running.kill()
    this.#first.kill()
  }
}

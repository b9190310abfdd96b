import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../../../src/config/load.ts'
import { type NetworkIntent, type NetworkReport, networkIntent } from '../../../src/network/network.ts'
import { onehopCommand } from '../lab/daemon.ts'
import { Namespace } from '../lab/namespace.ts'
import type { Output, Running } from '../lab/running.ts'
import { untilTrue } from '../lab/until.ts'
import type { AgentAnswer, AgentRequest } from './agent.ts'

const AGENT = join(import.meta.dirname, 'agent.ts')

/** Forwarding is off, as on a host that nobody has prepared. */
const script = (lan: Namespace, container: Namespace) => `
ip -batch - <<END
link add up0 type veth peer name eth0 netns ${lan.pid}
addr add 198.18.0.1/24 dev up0
addr add 2001:db8:18::1/64 dev up0
link set up0 up
route add default via 198.18.0.2
link add br0 mtu 1450 type bridge forward_delay 0
addr add 10.77.0.1/24 dev br0
addr add fd77::1/64 dev br0
link set br0 up
link add veth1 mtu 1450 type veth peer name eth0 mtu 1450 netns ${container.pid}
link set veth1 master br0 up
END`

const LAN_SCRIPT = `
ip -batch - <<END
addr add 198.18.0.2/24 dev eth0
addr add 2001:db8:18::2/64 dev eth0
link set eth0 up
route add default via 198.18.0.1
route add default via 2001:db8:18::1
END`

const CONTAINER_SCRIPT = `
ip -batch - <<END
addr add 10.77.0.11/24 dev eth0
addr add fd77::11/64 dev eth0
link set eth0 up
route add default via 10.77.0.1
route add default via fd77::1
END`

/** All that a set-up could change, timers left out. */
const DUMP = `
ip -d link show | sed 's/[a-z_]*timer *[0-9.]* *//g'
ip address show
for family in -4 -6; do ip $family rule show; ip $family route show table all; ip $family neigh show proxy; done
nft list ruleset
sysctl -a 2>/dev/null | grep '^net\\.\\(ipv4\\|ipv6\\|bridge\\)\\.'
`

/** A host with an uplink and a container's bridge, and what makes set-ups in it. */
export class NetworkHost {
  readonly #agent: Running
  readonly #answers = new Map<number, (answer: AgentAnswer) => void>()
  #calls = 0
  readonly runDir = mkdtempSync(join(tmpdir(), 'onehop-network-'))

  private constructor(
    readonly host: Namespace,
    readonly lan: Namespace,
    readonly container: Namespace,
  ) {
    this.#agent = host.start([process.execPath, '--import', import.meta.resolve('tsx'), AGENT], { ipc: true })
    this.#agent.child.on('message', (answer: AgentAnswer) => this.#answers.get(answer.id)?.(answer))
  }

  static async open(): Promise<NetworkHost> {
    const opened = await Promise.all(['host', 'lan', 'container'].map((name) => Namespace.open(name)))
    const [host, lan, container] = opened as [Namespace, Namespace, Namespace]
    await host.script(script(lan, container))
    await Promise.all([lan.script(LAN_SCRIPT), container.script(CONTAINER_SCRIPT)])
    const world = new NetworkHost(host, lan, container)
    await world.#untilSettled()
    return world
  }

  /** Until carriers are seen and addresses are no longer tentative. */
  async #untilSettled(): Promise<void> {
    let last = ''
    await untilTrue(async () => {
      const dump = await this.dump()
      const isSettled =
        dump === last &&
        !/tentative|state (?:UNKNOWN|DOWN) mode DEFAULT group default qlen 1000\n *link\/ether/.test(dump)
      last = dump
      return isSettled
    }, 'a settled host')
  }

  up(intent: NetworkIntent): Promise<void> {
    return this.#call({ call: 'up', tun: intent.tun, intent })
  }

  down(tun = 'onehop0'): Promise<void> {
    return this.#call({ call: 'down', tun })
  }

  plan(intent: NetworkIntent): Promise<readonly string[]> {
    return this.#call({ call: 'plan', tun: intent.tun, intent })
  }

  show(intent: NetworkIntent): Promise<NetworkReport> {
    return this.#call({ call: 'show', tun: intent.tun, intent })
  }

  /** See agent.ts. */
  part(options: Pick<AgentRequest, 'intent' | 'changes' | 'isOldKernel'>): Promise<number> {
    return this.#call({ call: 'part', tun: options.intent?.tun ?? 'onehop0', ...options })
  }

  async #call<Result>(request: Omit<AgentRequest, 'id' | 'runDir'>): Promise<Result> {
    const id = this.#calls++
    const answer = await new Promise<AgentAnswer>((resolve, reject) => {
      this.#answers.set(id, resolve)
      this.#agent.exited.then(() => reject(new Error(`the agent ended\n${this.#agent.stderr}`)), reject)
      this.#agent.child.send({ id, runDir: this.runDir, ...request } satisfies AgentRequest)
    })
    this.#answers.delete(id)
    if ('code' in answer) throw Object.assign(new Error(answer.message), { code: answer.code })
    return answer.result as Result
  }

  dump(): Promise<string> {
    return this.host.run(['sh'], { input: DUMP })
  }

  /** The command line in the host's namespace. */
  onehop(...argv: readonly string[]): Promise<Output> {
    return this.host.attempt([...onehopCommand(), ...argv, '--run-dir', this.runDir])
  }

  async close(): Promise<void> {
    await Promise.all([this.host, this.lan, this.container].map((namespace) => namespace.close()))
    rmSync(this.runDir, { recursive: true, force: true })
  }
}

export interface Wanted {
  readonly tun?: string
  readonly bridges?: readonly string[]
  readonly uplinks?: readonly string[]
  readonly services?: readonly unknown[]
}

/** Two families, a port, and a public address of each family on the uplink's own link. */
export const WEB = {
  name: 'web',
  addresses: ['203.0.113.10', '2001:db8:53::10', '198.18.0.10', '2001:db8:18::10'],
  ports: ['80/tcp->8080', '53/udp->5353'],
  containers: [{ name: 'c1', address: '10.77.0.11', address6: 'fd77::11' }],
}

/** Every protocol and port of another container. */
export const WHOLE = {
  name: 'whole',
  addresses: ['203.0.113.20', '2001:db8:53::20'],
  ports: 'all',
  containers: [{ name: 'c2', address: '10.77.0.12', address6: 'fd77::12' }],
}

export function intentOf({
  tun = 'onehop0',
  bridges = ['br0'],
  uplinks = ['up0'],
  services = [WEB],
}: Wanted = {}): NetworkIntent {
  const text = JSON.stringify({ version: 1, interfaces: { tun, bridges, uplinks }, services })
  return networkIntent(parseConfig(text, 'test'))
}

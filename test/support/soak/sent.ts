import type { Namespace } from '../lab/namespace.ts'
import { type Lab, PUBLIC, PUBLIC6 } from '../lab.ts'

/** What onehop has to have received, as the ends' own kernels counted it when it left them: to the packet. */
export class Sent {
  readonly #host: Namespace
  readonly #ends: readonly Namespace[]
  /** What was received before anybody was counted. */
  readonly #before: number

  private constructor(host: Namespace, others: readonly Namespace[], before = 0) {
    this.#host = host
    this.#ends = [host, ...others]
    this.#before = before
  }

  /**
   * Counts from now on what clients send to the public addresses, containers to clients, and the host into the TUN by
   * itself: the reports of the groups that every IPv6 interface is in.
   */
  static async count({ client, host, containers }: Lab, received: () => Promise<number>): Promise<Sent> {
    const inside = containers.map(({ namespace }) => namespace)
    await host.script(rules(['ip6 daddr ff00::/8'], 'onehop0'))
    await client.script(rules([`ip daddr ${PUBLIC}`, `ip6 daddr ${PUBLIC6}`]))
    const toClients = ['ip daddr 198.18.0.0/15', 'ip6 daddr { 2001:db8:18::/64, 2001:db8:19::/64 }']
    await Promise.all(inside.map((container) => container.script(rules(toClients))))
    const counting = new Sent(host, [client, ...inside])
    let [sent, before] = [0, 0]
    do {
      sent = await counting.packets()
      before = (await received()) - sent
    } while (sent !== (await counting.packets())) // a report may leave between the two looks
    return new Sent(host, [client, ...inside], before)
  }

  /** Without those that were lost before they came to the host. */
  async packets(): Promise<number> {
    const counted = await this.#read('nft list table netdev sent', /packets (\d+)/g, this.#ends)
    return this.#before + counted - (await this.#read(DROPPED, DROPS, this.#ends.filter(this.#isOutside)))
  }

  /**
   * Packets that a link had to drop, before onehop or after it: the processor's queue, which all namespaces of the machine
   * share (net.core.netdev_max_backlog), was full. No onehop can prevent that; a datagram so lost is a failed request all the same.
   */
  dropped = (): Promise<number> => this.#read(DROPPED, DROPS, this.#ends)

  readonly #isOutside = (end: Namespace): boolean => end !== this.#host

  async #read(command: string, numbers: RegExp, ends: readonly Namespace[]): Promise<number> {
    const texts = await Promise.all(ends.map((end) => end.run(['sh', '-c', command])))
    return texts
      .flatMap((text) => [...text.matchAll(numbers)])
      .reduce((sum, [, number]) => sum + Number(number), 0)
  }
}

/** Of the links alone: the TUN's are the daemon's to tell. */
const DROPPED =
  'cat /sys/class/net/eth0/statistics/tx_dropped /sys/class/net/[uv]*/statistics/tx_dropped 2>/dev/null || true'
const DROPS = /^(\d+)$/gm

/** At the device, behind the kernel's cutting into fragments. */
const rules = (matches: readonly string[], device = 'eth0'): string => `nft -f - <<END
table netdev sent {
  chain out {
    type filter hook egress device ${device} priority 0
${matches.map((match) => `    ${match} counter`).join('\n')}
  }
}
END
`

import type { Namespace } from '../lab/namespace.ts'
import { type Lab, PUBLIC, PUBLIC6 } from '../lab.ts'

/** What onehop has to have received, as the ends' own kernels counted it when it left them: to the packet. */
export class Sent {
  readonly #ends: readonly Namespace[]
  /** What was received before anybody was counted. */
  readonly #before: number

  private constructor(ends: readonly Namespace[], before = 0) {
    this.#ends = ends
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
    const ends = [client, host, ...inside]
    const counting = new Sent(ends)
    let [sent, before] = [0, 0]
    do {
      sent = await counting.packets()
      before = (await received()) - sent
    } while (sent !== (await counting.packets())) // a report may leave between the two looks
    return new Sent(ends, before)
  }

  async packets(): Promise<number> {
    const lists = await Promise.all(
      this.#ends.map((end) => end.run(['nft', 'list', 'table', 'netdev', 'sent'])),
    )
    return lists
      .flatMap((list) => [...list.matchAll(/packets (\d+)/g)])
      .reduce((sum, [, packets]) => sum + Number(packets), this.#before)
  }
}

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

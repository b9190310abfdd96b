import { type Lab, PUBLIC } from '../../../support/lab.ts'
import type { Leg } from '../../leg.ts'
import type { Server } from '../../servers.ts'
import { restoreRules, type Service } from './rules.ts'

/** The client's address stays, and ClientIP affinity, as onehop has it; among so many other services. */
const iptables = (name: string, title: string, others: number): Leg => ({
  name,
  title,
  tools: ['iptables-legacy'],
  async start(lab, servers) {
    await lab.host.run(['iptables-legacy-restore'], { input: restoreRules(amidOthers(lab, servers, others)) })
    return {
      address: PUBLIC,
      carries: 'tcp and udp',
      async inspect() {
        const recent = await lab.host.script('cat /proc/net/xt_recent/KUBE-SEP-*')
        if (!recent.includes('src=198.18.0.2')) throw new Error(`${name}: no client was remembered`)
        return undefined
      },
      stop: async () => {},
    }
  },
})

/** In the middle: kube-proxy writes services in no particular order. */
function amidOthers(lab: Lab, servers: readonly Server[], others: number): readonly Service[] {
  const all = Array.from({ length: others }, (_, n) => other(n))
  const middle = others >> 1
  return [...all.slice(0, middle), ...servedPorts(lab, servers), ...all.slice(middle)]
}

const servedPorts = (lab: Lab, servers: readonly Server[]): readonly Service[] =>
  servers.flatMap(({ port }) =>
    (['tcp', 'udp'] as const).map((protocol) => ({
      name: `${protocol}-${port}`,
      protocol,
      externalIp: PUBLIC,
      port,
      endpoint: `${lab.containers[0]!.address}:${port}`,
      affinity: true,
    })),
  )

const other = (n: number): Service => ({
  name: String(n),
  protocol: 'tcp',
  clusterIp: `10.96.${n >> 8}.${n & 255}`,
  port: 80,
  endpoint: `10.77.${128 + (n >> 8)}.${n & 255}:8080`,
  affinity: false,
})

export const iptablesLeg = iptables('iptables', 'kube-proxy, iptables', 0)
export const iptables5000Leg = iptables('iptables-5000', 'kube-proxy, iptables, 5,000 services', 5_000)

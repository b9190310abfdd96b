import type { Lab } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'
import type { Server } from '../servers.ts'
import { HOST } from './addresses.ts'
import { startHaproxy } from './haproxy.ts'
import { RESTORE } from './kube-proxy/iptables.ts'
import { restoreRules } from './kube-proxy/iptables-rules.ts'
import type { Service } from './kube-proxy/service.ts'

/** The load balancer's own address on the clients' side: the lab's client router. */
const BALANCER = '198.18.1.1'
const FIRST_NODE_PORT = 30_000

/**
 * What onehop takes the place of: client → load balancer's host → NodePort → DNAT → container. The balancer is HAProxy in a
 * namespace between client and host; the NodePort is kube-proxy's with `externalTrafficPolicy: Cluster`, as it is unless said.
 */
export const chainLeg: Leg = {
  name: 'chain',
  title: 'load balancer → NodePort → DNAT',
  tools: ['haproxy', 'iptables-nft'],
  lab: { clientRouter: {} },
  async start(lab, servers) {
    await lab.host.run(RESTORE, { input: restoreRules(nodePorts(lab, servers)) })
    const listens = servers.map(({ port }, i) => ({
      from: `${BALANCER}:${port}`,
      to: `${HOST}:${FIRST_NODE_PORT + i}`,
      port,
    }))
    const haproxy = await startHaproxy(lab, lab.routers.client!, listens)
    return {
      address: BALANCER,
      carries: 'tcp',
      inspect: async () => undefined,
      stop: async () => {
        await haproxy.stop()
      },
    }
  },
}

/** Without affinity: the balancer is the only client that kube-proxy sees. */
const nodePorts = (lab: Lab, servers: readonly Server[]): readonly Service[] =>
  servers.map(({ port }, i) => ({
    ...{ id: `tcp-${port}`, protocol: 'tcp', port, affinity: false },
    clusterIp: `10.95.0.${i + 1}`,
    nodePort: FIRST_NODE_PORT + i,
    endpoint: { address: lab.containers[0]!.address, port },
  }))

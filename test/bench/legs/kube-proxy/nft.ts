/**
 * What kube-proxy's nftables mode makes of a Service with an external address, `externalTrafficPolicy: Local` (the client's
 * address stays) and `sessionAffinity: ClientIP`: the chains, sets and maps of Kubernetes 1.33 (pkg/proxy/nftables/proxier.go).
 */
import { type Lab, PUBLIC } from '../../../support/lab.ts'
import type { Leg } from '../../leg.ts'
import type { Server } from '../../servers.ts'

export const nftLeg: Leg = {
  name: 'nft',
  title: 'kube-proxy, nftables',
  tools: ['nft'],
  async start(lab, servers) {
    await lab.host.run(['nft', '-f', '-'], { input: ruleset(lab, servers) })
    return {
      address: PUBLIC,
      carries: 'tcp and udp',
      async inspect() {
        const sets = await lab.host.run(['nft', 'list', 'sets', 'ip'])
        if (!/elements = \{ 198\.18\.0\.2 /.test(sets)) throw new Error('nft: no client was remembered')
        return undefined
      },
      stop: async () => {},
    }
  },
}

const PODS = '10.77.0.0/16'
const AFFINITY = '10800s'
const PROTOCOLS = ['tcp', 'udp'] as const

const ruleset = (lab: Lab, servers: readonly Server[]): string => {
  const ports = servers.flatMap(({ port }) => PROTOCOLS.map((protocol) => ({ port, protocol })))
  const { address } = lab.containers[0]!
  return `${BASE}${ports.map((port) => service({ ...port, address })).join('')}}
add element ip kube-proxy service-ips { ${ports
    .map(({ port, protocol }) => `${PUBLIC} . ${protocol} . ${port} : goto external-${protocol}-${port}`)
    .join(', ')} }
`
}

const BASE = `
table ip kube-proxy {
  set cluster-ips { type ipv4_addr; }
  set nodeport-ips { type ipv4_addr; elements = { 198.18.0.1 }; }
  map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
  map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map service-nodeports { type inet_proto . inet_service : verdict; }
  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }
  chain masquerading {
    meta mark and 0x4000 == 0 return
    meta mark set meta mark xor 0x4000
    masquerade fully-random
  }
  chain services {
    ip daddr . meta l4proto . th dport vmap @service-ips
    ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }
  chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }
  chain nodeport-endpoints-check { ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports; }
  chain service-endpoints-check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
  chain cluster-ips-check { ip daddr @cluster-ips reject; }
  chain filter-prerouting {
    type filter hook prerouting priority -110;
    ct state new jump firewall-check
  }
  chain filter-input {
    type filter hook input priority -110;
    ct state new jump nodeport-endpoints-check
    ct state new jump service-endpoints-check
  }
  chain filter-forward {
    type filter hook forward priority -110;
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }
  chain filter-output {
    type filter hook output priority -110;
    ct state new jump service-endpoints-check
    ct state new jump firewall-check
  }
  chain filter-output-post-dnat {
    type filter hook output priority -90;
    ct state new jump cluster-ips-check
  }
  chain nat-prerouting { type nat hook prerouting priority -100; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority 100; jump masquerading; }
`

interface Port {
  readonly port: number
  readonly protocol: (typeof PROTOCOLS)[number]
  readonly address: string
}

const service = ({ port, protocol, address }: Port): string => `
  set affinity-${protocol}-${port} { type ipv4_addr; flags dynamic,timeout; timeout ${AFFINITY}; }
  chain endpoint-${protocol}-${port} {
    ip saddr ${address} jump mark-for-masquerade
    update @affinity-${protocol}-${port} { ip saddr }
    meta l4proto ${protocol} dnat to ${address}:${port}
  }
  chain local-${protocol}-${port} {
    ip saddr @affinity-${protocol}-${port} goto endpoint-${protocol}-${port}
    numgen random mod 1 vmap { 0 : goto endpoint-${protocol}-${port} }
  }
  chain service-${protocol}-${port} {
    ip saddr @affinity-${protocol}-${port} goto endpoint-${protocol}-${port}
    numgen random mod 1 vmap { 0 : goto endpoint-${protocol}-${port} }
  }
  chain external-${protocol}-${port} {
    ip saddr ${PODS} goto service-${protocol}-${port}
    fib saddr type local jump mark-for-masquerade
    fib saddr type local goto service-${protocol}-${port}
    goto local-${protocol}-${port}
  }
`

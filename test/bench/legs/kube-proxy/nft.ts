/**
 * What kube-proxy's nftables mode makes of Services: pkg/proxy/nftables/proxier.go, each chain, set and map that it writes. Its
 * comments are no part of what runs when a packet comes.
 */
import { PUBLIC } from '../../../support/lab.ts'
import type { Leg } from '../../leg.ts'
import { AFFINITY_SECONDS, amidOthers, PODS, publicServices, type Service } from './service.ts'

interface Setting {
  readonly others?: number
  readonly keepsClients?: boolean
}

const nft = (name: string, title: string, { others = 0, keepsClients = false }: Setting): Leg => ({
  name,
  title,
  tools: ['nft'],
  async start(lab, servers) {
    const services = amidOthers(publicServices(lab, servers, keepsClients), others)
    await lab.host.run(['nft', '-f', '-'], { input: ruleset(services) })
    return {
      address: PUBLIC,
      carries: 'tcp and udp',
      async inspect() {
        const sets = await lab.host.run(['nft', 'list', 'sets', 'ip'])
        if (!/\b198\.18\.0\.2 /.test(sets)) throw new Error(`${name}: no client was remembered`)
        return undefined
      },
      stop: async () => {},
    }
  },
})

export const nftLeg = nft('nft', 'kube-proxy, nftables', {})

/** Not measured unless asked for: what else a cluster may have chosen. */
export const nftVariants: readonly Leg[] = [
  nft('nft-local', "kube-proxy, nftables, clients' addresses kept", { keepsClients: true }),
  nft('nft-5000', 'kube-proxy, nftables, 5,000 services', { others: 5_000 }),
]

const ruleset = (services: readonly Service[]): string => `${BASE}${services.map(chainsOf).join('')}}
add element ip kube-proxy cluster-ips { ${services.map(({ clusterIp }) => clusterIp).join(', ')} }
add element ip kube-proxy service-ips { ${services.flatMap(entries).join(', ')} }
`

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

function entries({ id, protocol, port, clusterIp, externalIp }: Service): readonly string[] {
  const to = (address: string, chain: string) => `${address} . ${protocol} . ${port} : goto ${chain}-${id}`
  return [to(clusterIp, 'service'), ...(externalIp === undefined ? [] : [to(externalIp, 'external')])]
}

/** `service` holds the endpoints for all, `local` those of this host for clients whose addresses stay. */
const chainsOf = (service: Service): string => {
  const { id, protocol, port, clusterIp, externalIp, endpoint, affinity, keepsClients } = service
  const set = `affinity-${id}`
  return `
  ${affinity ? `set ${set} { type ipv4_addr; flags dynamic,timeout; timeout ${AFFINITY_SECONDS}s; }` : ''}
  chain endpoint-${id} {
    ip saddr ${endpoint.address} jump mark-for-masquerade
    ${affinity ? `update @${set} { ip saddr }` : ''}
    meta l4proto ${protocol} dnat to ${endpoint.address}:${endpoint.port}
  }
  ${keepsClients ? `chain local-${id} {${choice(service)}}` : ''}
  chain service-${id} {
    ip daddr ${clusterIp} ${protocol} dport ${port} ip saddr != ${PODS} jump mark-for-masquerade${choice(service)}}
  ${externalIp === undefined ? '' : `chain external-${id} {${external(service)}}`}
`
}

const choice = ({ id, affinity }: Service): string => `
    ${affinity ? `ip saddr @affinity-${id} goto endpoint-${id}` : ''}
    numgen random mod 1 vmap { 0 : goto endpoint-${id} }
  `

const external = ({ id, keepsClients }: Service): string =>
  keepsClients
    ? `
    ip saddr ${PODS} goto service-${id}
    fib saddr type local jump mark-for-masquerade
    fib saddr type local goto service-${id}
    goto local-${id}
  `
    : `
    jump mark-for-masquerade
    goto service-${id}
  `

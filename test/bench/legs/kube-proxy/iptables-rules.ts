/**
 * What kube-proxy's iptables mode makes of Services, in iptables-restore's words: pkg/proxy/iptables/proxier.go, each jump and
 * rule that it writes, in its order, and the kubelet's KUBE-FIREWALL (pkg/kubelet/kubelet_network_linux.go). Its comments are
 * matches, too, that xtables calls; as it does, they are left away beside endpoints where there are more than a thousand of these.
 * Only what it counts dropped packets with is not here.
 */
import { AFFINITY_SECONDS, PODS, type Service } from './service.ts'

const LARGE_CLUSTER = 1_000

export function restoreRules(services: readonly Service[]): string {
  const isLarge = services.length > LARGE_CLUSTER
  return `${FILTER}*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
${services.flatMap(chainsOf).join('\n')}
-A PREROUTING ${comment('service portals')} -j KUBE-SERVICES
-A OUTPUT ${comment('service portals')} -j KUBE-SERVICES
-A POSTROUTING ${comment('postrouting')} -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING ${comment('SNAT')} -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
${services.flatMap((service) => rulesOf(service, isLarge)).join('\n')}
-A KUBE-SERVICES ${comment('node ports, always last')} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
`
}

const comment = (text: string): string => `-m comment --comment "${text}"`

/** Each jump is put in front of those before it, so the last of kube-proxy's list stands first. */
const FILTER = `*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -m conntrack --ctstate NEW ${comment('load balancer firewall')} -j KUBE-PROXY-FIREWALL
-A INPUT ${comment('health check ports')} -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW ${comment('external service portals')} -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW ${comment('load balancer firewall')} -j KUBE-PROXY-FIREWALL
-A FORWARD ${comment('forwarding')} -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW ${comment('service portals')} -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW ${comment('external service portals')} -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW ${comment('load balancer firewall')} -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW ${comment('service portals')} -j KUBE-SERVICES
-A KUBE-FIREWALL ${comment('localnet')} -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD ${comment('forwarding')} -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD ${comment('known connections')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`

const isExternal = ({ externalIp, nodePort }: Service): boolean =>
  externalIp !== undefined || nodePort !== undefined

/** SVC holds the endpoints for all, SVL those of this host for clients whose addresses stay. */
function chainsOf(service: Service): readonly string[] {
  const kinds = [
    ...(isExternal(service) ? ['EXT'] : []),
    ...(service.keepsClients ? ['SVL'] : []),
    ...['SVC', 'SEP'],
  ]
  return kinds.map((kind) => `:KUBE-${kind}-${service.id} - [0:0]`)
}

const rulesOf = (service: Service, isLarge: boolean): readonly string[] => [
  ...entries(service),
  fromOutside(service),
  ...(isExternal(service) ? external(service) : []),
  ...choice('SVC', service, isLarge),
  ...(service.keepsClients ? choice('SVL', service, isLarge) : []),
  ...endpoint(service, isLarge),
]

const called = (service: Service, what: string): string => comment(`default/${service.id} ${what}`)

/** What a packet is compared with, one Service after the other. */
function entries(service: Service): readonly string[] {
  const { id, protocol, clusterIp, externalIp, nodePort, port } = service
  const to = (address: string, what: string) =>
    `-A KUBE-SERVICES ${called(service, what)} -m ${protocol} -p ${protocol} -d ${address} --dport ${port}`
  const atNodePort = `-A KUBE-NODEPORTS ${called(service, '')} -m ${protocol} -p ${protocol}`
  return [
    `${to(clusterIp, 'cluster IP')} -j KUBE-SVC-${id}`,
    ...(externalIp === undefined ? [] : [`${to(externalIp, 'external IP')} -j KUBE-EXT-${id}`]),
    ...(nodePort === undefined ? [] : [`${atNodePort} --dport ${nodePort} -j KUBE-EXT-${id}`]),
  ]
}

/** Who is no pod and calls the cluster's own address. */
const fromOutside = (service: Service): string => {
  const { id, protocol, clusterIp, port } = service
  const to = `-m ${protocol} -p ${protocol} -d ${clusterIp} --dport ${port}`
  return `-A KUBE-SVC-${id} ${called(service, 'cluster IP')} ${to} ! -s ${PODS} -j KUBE-MARK-MASQ`
}

function external(service: Service): readonly string[] {
  const [from, { id }] = [`-A KUBE-EXT-${service.id} ${called(service, 'external')}`, service]
  if (!service.keepsClients) return [`${from} -j KUBE-MARK-MASQ`, `-A KUBE-EXT-${id} -j KUBE-SVC-${id}`]
  return [
    `${from} -s ${PODS} -j KUBE-SVC-${id}`,
    `${from} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ`,
    `${from} -m addrtype --src-type LOCAL -j KUBE-SVC-${id}`,
    `-A KUBE-EXT-${id} -j KUBE-SVL-${id}`,
  ]
}

const toEndpoint = (service: Service, isLarge: boolean): string =>
  isLarge ? '' : called(service, `-> ${service.endpoint.address}`)

/** With one endpoint there is no `-m statistic`: the last one takes what is left. */
const choice = (kind: 'SVC' | 'SVL', service: Service, isLarge: boolean): readonly string[] => {
  const sep = `KUBE-SEP-${service.id}`
  const rule = `-A KUBE-${kind}-${service.id} ${toEndpoint(service, isLarge)}`
  const known = `-m recent --name ${sep} --rcheck --seconds ${AFFINITY_SECONDS} --reap`
  return [...(service.affinity ? [`${rule} ${known} -j ${sep}`] : []), `${rule} -j ${sep}`]
}

const endpoint = (service: Service, isLarge: boolean): readonly string[] => {
  const { id, protocol, endpoint, affinity } = service
  const rule = `-A KUBE-SEP-${id} ${isLarge ? '' : called(service, '')}`
  const remember = affinity ? `-m recent --name KUBE-SEP-${id} --set` : ''
  return [
    `${rule} -s ${endpoint.address} -j KUBE-MARK-MASQ`,
    `${rule} ${remember} -m ${protocol} -p ${protocol} -j DNAT --to-destination ${endpoint.address}:${endpoint.port}`,
  ]
}

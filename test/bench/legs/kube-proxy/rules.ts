/**
 * What kube-proxy's iptables mode makes of Services, in iptables-restore's words: the chains of Kubernetes 1.33
 * (pkg/proxy/iptables/proxier.go), without the comments, which cost nothing when a packet comes.
 */
export interface Service {
  /** What its chains are called by. */
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly clusterIp?: string
  /** Of a load balancer; the client's address stays (`externalTrafficPolicy: Local`). */
  readonly externalIp?: string
  /** With `externalTrafficPolicy: Cluster`, so the client's address becomes the host's. */
  readonly nodePort?: number
  readonly port: number
  /** ADDRESS:PORT */
  readonly endpoint: string
  /** `sessionAffinity: ClientIP` */
  readonly affinity: boolean
}

const PODS = '10.77.0.0/16'

export const restoreRules = (services: readonly Service[]): string => `*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A INPUT -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A FORWARD -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
${services.flatMap(chainsOf).join('\n')}
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
${services.flatMap(rulesOf).join('\n')}
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
`

const chainsOf = ({ name }: Service): readonly string[] =>
  ['EXT', 'SVC', 'SVL', 'SEP'].map((kind) => `:KUBE-${kind}-${name} - [0:0]`)

const rulesOf = (service: Service): readonly string[] => [
  ...entries(service),
  ...external(service),
  ...choice('SVC', service),
  ...choice('SVL', service),
  ...endpoint(service),
]

/** The chains that a packet is compared with, one service after the other. */
function entries({ name, protocol, clusterIp, externalIp, nodePort, port }: Service): readonly string[] {
  const to = (address: string) => `-A KUBE-SERVICES -d ${address} -p ${protocol} --dport ${port}`
  return [
    ...(clusterIp === undefined ? [] : [`${to(clusterIp)} -j KUBE-SVC-${name}`]),
    ...(externalIp === undefined ? [] : [`${to(externalIp)} -j KUBE-EXT-${name}`]),
    ...(nodePort === undefined
      ? []
      : [`-A KUBE-NODEPORTS -p ${protocol} --dport ${nodePort} -j KUBE-EXT-${name}`]),
  ]
}

const external = ({ name, nodePort }: Service): readonly string[] =>
  nodePort === undefined
    ? [
        `-A KUBE-EXT-${name} -s ${PODS} -j KUBE-SVC-${name}`,
        `-A KUBE-EXT-${name} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ`,
        `-A KUBE-EXT-${name} -m addrtype --src-type LOCAL -j KUBE-SVC-${name}`,
        `-A KUBE-EXT-${name} -j KUBE-SVL-${name}`,
      ]
    : [`-A KUBE-EXT-${name} -j KUBE-MARK-MASQ`, `-A KUBE-EXT-${name} -j KUBE-SVC-${name}`]

const choice = (kind: 'SVC' | 'SVL', { name, affinity }: Service): readonly string[] => {
  const sep = `KUBE-SEP-${name}`
  const known = `-A KUBE-${kind}-${name} -m recent --name ${sep} --rcheck --seconds 10800 --reap -j ${sep}`
  return [...(affinity ? [known] : []), `-A KUBE-${kind}-${name} -j ${sep}`]
}

const endpoint = ({ name, protocol, endpoint, affinity }: Service): readonly string[] => {
  const sep = `KUBE-SEP-${name}`
  const remember = affinity ? ` -m recent --name ${sep} --set` : ''
  return [
    `-A ${sep} -s ${endpoint.split(':')[0]} -j KUBE-MARK-MASQ`,
    `-A ${sep} -p ${protocol}${remember} -j DNAT --to-destination ${endpoint}`,
  ]
}

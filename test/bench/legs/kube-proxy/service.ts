/** A port of a Service as kube-proxy sees it, whichever mode it is in: Kubernetes 1.33. */
import { type Lab, PUBLIC } from '../../../support/lab.ts'
import type { Server } from '../../servers.ts'

export interface Service {
  /** What its chains are called by. */
  readonly id: string
  readonly protocol: 'tcp' | 'udp'
  readonly clusterIp: string
  readonly externalIp?: string
  readonly nodePort?: number
  readonly port: number
  readonly endpoint: { readonly address: string; readonly port: number }
  /** `sessionAffinity: ClientIP`, for the three hours that it is unless said. */
  readonly affinity: boolean
  /** `externalTrafficPolicy: Local`. Unless said it is Cluster: clients' addresses become the host's. */
  readonly keepsClients?: boolean
}

export const AFFINITY_SECONDS = 10_800
/** `clusterCIDR`: who is a pod. */
export const PODS = '10.77.0.0/16'

/** The servers, at the public address, for both protocols. */
export const publicServices = (
  lab: Lab,
  servers: readonly Server[],
  keepsClients: boolean,
): readonly Service[] =>
  servers.flatMap(({ port }, n) =>
    (['tcp', 'udp'] as const).map((protocol) => ({
      ...{ id: `${protocol}-${port}`, protocol, port, keepsClients },
      clusterIp: `10.95.0.${n + 1}`,
      externalIp: PUBLIC,
      endpoint: { address: lab.containers[0]!.address, port },
      affinity: true,
    })),
  )

/** In the middle: kube-proxy writes Services in no particular order. The others are what a Service is unless said. */
export function amidOthers(services: readonly Service[], others: number): readonly Service[] {
  const all = Array.from({ length: others }, (_, n) => otherService(n))
  const middle = others >> 1
  return [...all.slice(0, middle), ...services, ...all.slice(middle)]
}

const otherService = (n: number): Service => ({
  id: String(n),
  protocol: 'tcp',
  clusterIp: `10.96.${n >> 8}.${n & 255}`,
  port: 80,
  endpoint: { address: `10.77.${128 + (n >> 8)}.${n & 255}`, port: 8080 },
  affinity: false,
})

import { z } from 'zod'
import { parseAddress } from './address.ts'
import { list, mapping, oneOf, port, text } from './values.ts'

/** Who knows a service's containers, and how it is asked. */
export type SourceConfig =
  | ({ readonly kind: 'docker' } & DockerConfig)
  | ({ readonly kind: 'dns' } & DnsConfig)
  | ({ readonly kind: 'kubernetes' } & KubernetesConfig)

export interface DockerConfig {
  /** `key` or `key=value`; a container must bear all of them. At least one. */
  readonly labels: readonly string[]
  /** Name or id of the network whose addresses count; undefined: the container must be on exactly one. */
  readonly network: string | undefined
  readonly socket: string
  /** Where the containers listen, when that is not the service's target. */
  readonly port: number | undefined
}

export interface DnsConfig {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'SRV'
  /** Where the containers listen, when that is not the service's target; SRV records say it themselves. */
  readonly port: number | undefined
  /** `10.0.0.53`, `10.0.0.53:5353`, `[fd00::53]:53`; undefined: the host's own. */
  readonly server: string | undefined
}

export interface KubernetesConfig {
  readonly service: string
  /** Undefined: the one that the credentials name. */
  readonly namespace: string | undefined
  /** Where the containers listen, or the name of the port in the Service; undefined: the service's target. */
  readonly port: number | string | undefined
  /** Only endpoints on this node; `local` is this host's own; undefined: on all. */
  readonly node: string | undefined
  /** Undefined: the pod's own service account, else $KUBECONFIG, else ~/.kube/config. */
  readonly kubeconfig: string | undefined
  /** Of the kubeconfig; undefined: its current one. */
  readonly context: string | undefined
}

/** Where Docker listens unless it was told otherwise. */
export const DOCKER_SOCKET = '/var/run/docker.sock'

/** sun_path of unix(7) has room for 107 bytes and the zero that ends them. */
export const socketPath = text('an absolute path of at most 107 bytes', (value) =>
  /^\/[^\p{Cc}]+$/u.test(value) && Buffer.byteLength(value) <= 107 ? value : undefined,
)

const label = text('a label: key or key=value', (value) =>
  /^[^=\s\p{Cc}]{1,256}(=[^\p{Cc}]{0,1024})?$/u.test(value) ? value : undefined,
)

const composeName = text('PROJECT/SERVICE, as Compose calls them', (value) => {
  const [, project, service] =
    /^([a-z0-9][a-z0-9_-]{0,127})\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/.exec(value) ?? []
  return project === undefined
    ? undefined
    : [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`]
})

const networkName = text('a network: its name or id', (value) =>
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/.test(value) ? value : undefined,
)

const LABELS = 'a label, or a list of them'

const docker = mapping({
  label: z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), list(label, LABELS))
    .default([]),
  compose: composeName.optional(),
  network: networkName.optional(),
  socket: socketPath.prefault(DOCKER_SOCKET),
  port: port.optional(),
}).transform((given, context): SourceConfig => {
  const labels = [...given.label, ...(given.compose ?? [])]
  if (labels.length === 0)
    context.issues.push({
      code: 'custom',
      input: given,
      message: 'label or compose, to tell which containers',
    })
  return { kind: 'docker', labels, network: given.network, socket: given.socket, port: given.port }
})

/** Underscores too, which the names of SRV records begin with. */
const dnsName = text('a name such as web.example.com', (value) =>
  value.length <= 253 && /^([A-Za-z0-9_]([A-Za-z0-9_-]{0,62})\.?)+$/.test(value) ? value : undefined,
)

const server = text(
  'the address of a name server, with a port if that is not 53: 10.0.0.53, [fd00::53]:5353',
  (value) => {
    const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:]+))(?::([0-9]{1,5}))?$/.exec(value) ?? []
    const address = parseAddress(bracketed ?? plain ?? value)
    const isPort = portText === undefined || (Number(portText) >= 1 && Number(portText) <= 65_535)
    return address !== undefined && isPort ? value : undefined
  },
)

const dns = mapping({
  name: dnsName,
  type: oneOf('A', 'AAAA', 'SRV'),
  port: port.optional(),
  server: server.optional(),
}).transform((given, context): SourceConfig => {
  if (given.type === 'SRV' && given.port !== undefined)
    context.issues.push({
      code: 'custom',
      input: given.port,
      path: ['port'],
      message: 'none: SRV records have it',
    })
  return { kind: 'dns', name: given.name, type: given.type, port: given.port, server: given.server }
})

/** RFC 1123's label and subdomain, by which Kubernetes names things. */
const objectLabel = text('a name of lower-case letters, digits and "-", at most 63', (value) =>
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value) ? value : undefined,
)

const nodeName = text('the name of a node, or local', (value) =>
  value.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value) ? value : undefined,
)

/** RFC 6335's service name, as Kubernetes has it for ports. */
const portName = text('a port, or the name of one in the Service', (value) =>
  /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(value) ? value : undefined,
)

const absolutePath = text('an absolute path', (value) => (/^\/[^\p{Cc}]+$/u.test(value) ? value : undefined))

const contextName = text('the name of a context', (value) =>
  /^[^\p{Cc}]{1,253}$/u.test(value) ? value : undefined,
)

const kubernetes = mapping({
  service: objectLabel,
  namespace: objectLabel.optional(),
  port: z.union([port, portName], 'a port, or the name of one in the Service').optional(),
  node: nodeName.optional(),
  kubeconfig: absolutePath.optional(),
  context: contextName.optional(),
}).transform(
  (given): SourceConfig => ({
    kind: 'kubernetes',
    service: given.service,
    namespace: given.namespace,
    port: given.port,
    node: given.node,
    kubeconfig: given.kubeconfig,
    context: given.context,
  }),
)

/** By the key that stands in `containers`. */
const SOURCES = { docker: docker.optional(), dns: dns.optional(), kubernetes: kubernetes.optional() }

/** `{docker: …}`, `{dns: …}` or `{kubernetes: …}` */
export const sourceSchema = mapping(SOURCES).transform((given, context): SourceConfig => {
  const [source, ...others] = Object.values(given).filter((one) => one !== undefined)
  if (source !== undefined && others.length === 0) return source
  const message = `one of ${Object.keys(SOURCES).join(', ')}`
  context.issues.push({ code: 'custom', input: given, message })
  return z.NEVER
})

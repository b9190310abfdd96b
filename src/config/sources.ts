import { z } from 'zod'
import { parseAddress } from './address.ts'
import { list, mapping, oneOf, port, text } from './values.ts'

/** Who knows a service's containers, and how it is asked. */
export type SourceConfig =
  | ({ readonly kind: 'docker' } & DockerConfig)
  | ({ readonly kind: 'dns' } & DnsConfig)

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

/** By the key that stands in `containers`. */
const SOURCES = { docker: docker.optional(), dns: dns.optional() }

/** `{docker: …}` or `{dns: …}` */
export const sourceSchema = mapping(SOURCES).transform((given, context): SourceConfig => {
  const [source, ...others] = Object.values(given).filter((one) => one !== undefined)
  if (source !== undefined && others.length === 0) return source
  const message = `one of ${Object.keys(SOURCES).join(', ')}`
  context.issues.push({ code: 'custom', input: given, message })
  return z.NEVER
})

import type { ServiceConfig } from '../../config/config.ts'
import { type Issue, MOST_SHOWN, oneLine, quoteValue } from '../../config/issue.ts'
import { validateService } from '../../config/validate.ts'
import type { Discovered, Listing } from '../source.ts'
import { discoverContainer, WEIGHT_LABEL } from './place.ts'
import type { Watched } from './watch.ts'

/** A service that the labels of its containers describe, and those containers. */
export interface LabelledService {
  /** Without containers. */
  readonly service: ServiceConfig
  readonly containers: readonly Discovered[]
}

const NETWORK_LABEL = 'onehop.network'
const PREFIX = 'onehop.'

/** Labels that are called otherwise than the service's key in the config; all others have its name. */
const KEYS: ReadonlyMap<string, string> = new Map([
  ['address', 'addresses'],
  ['port', 'ports'],
  ['service', 'name'],
])
const LISTS = ['addresses', 'ports']
const NUMBERS = ['prefix4', 'prefix6', 'status', 'rise', 'fall', 'port', 'quota']
/** What labels of a container cannot say of its service. */
const NO_LABELS = ['containers', 'pins', 'pinsFrom']

/**
 * Puts containers together that name the same service. The first by name says what the service is, and those that say
 * otherwise are left out: half of a service on other ports would be no answer to half of its clients.
 */
export function labelledServices(containers: readonly Watched[]): Listing<LabelledService> {
  const problems: string[] = []
  const services = new Map<string, { first: Watched; service: ServiceConfig; containers: Discovered[] }>()
  for (const container of containers.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const read = readLabels(container)
    if ('problems' in read) {
      problems.push(...read.problems.map((problem) => `container ${quoteValue(container.name)}: ${problem}`))
      continue
    }
    const { service, found } = read
    const known = services.get(service.name)
    const other = known && differenceOf(container, known.first)
    if (known === undefined) services.set(service.name, { first: container, service, containers: [found] })
    else if (other === undefined) known.containers.push(found)
    else problems.push(`container ${quoteValue(container.name)}: ${other}`)
  }
  return {
    items: [...services.values()].map(({ service, containers }) => ({ service, containers })),
    problems,
  }
}

type Read =
  | { readonly service: ServiceConfig; readonly found: Discovered }
  | { readonly problems: readonly string[] }

function readLabels(container: Watched): Read {
  const found = discoverContainer(container, container.labels[NETWORK_LABEL], undefined)
  if (typeof found === 'string') return { problems: [found] }
  const refused = ownLabels(container).find(([label]) => NO_LABELS.includes(pathOf(label)[0]!))
  if (refused !== undefined)
    return { problems: [`label ${oneLine(refused[0])}: not for labels; expected a config file`] }
  if (container.labels[`${PREFIX}port`] === undefined)
    return { problems: [`no label ${PREFIX}port; expected 80/tcp, 80/tcp->8080 or all`] }
  const service = validateService(serviceValue(container))
  if (isIssues(service)) return { problems: service.slice(0, MOST_SHOWN).map(describe) }
  return { service, found }
}

const isIssues = (read: ServiceConfig | readonly Issue[]): read is readonly Issue[] => Array.isArray(read)

/** The labels as the service that a config would hold; numbers are texts in a label. */
function serviceValue(container: Watched): Record<string, unknown> {
  const value: Record<string, unknown> = Object.create(null)
  Object.assign(value, { name: defaultName(container), containers: [] })
  for (const [label, text] of ownLabels(container).toSorted().toReversed()) {
    const path = pathOf(label)
    const leaf = path.at(-1)!
    const parent = path.slice(0, -1).reduce(childOf, value)
    parent[leaf] = LISTS.includes(leaf) ? readList(text) : readScalar(leaf, text)
  }
  return value
}

const ownLabels = ({ labels }: Watched): readonly (readonly [label: string, text: string])[] =>
  Object.entries(labels).filter(
    ([label]) => label.startsWith(PREFIX) && label !== WEIGHT_LABEL && label !== NETWORK_LABEL,
  )

/** `onehop.health.path` is `health`, `path`. */
function pathOf(label: string): string[] {
  const [first = '', ...rest] = label.slice(PREFIX.length).split('.')
  return [KEYS.get(first) ?? first, ...rest]
}

/** No prototype: `onehop.__proto__.x` is an unknown label like any other. */
function childOf(value: Record<string, unknown>, key: string): Record<string, unknown> {
  const child = value[key]
  if (typeof child === 'object' && child !== null) return child as Record<string, unknown>
  const made: Record<string, unknown> = Object.create(null)
  value[key] = made
  return made
}

const readList = (text: string): unknown =>
  text.trim() === 'all' ? 'all' : text.split(',').map((item) => item.trim())

const readScalar = (key: string, text: string): string | number =>
  NUMBERS.includes(key) && /^[0-9]{1,9}$/.test(text) ? Number(text) : text

/** What Compose calls it, or else the container's own name. */
function defaultName({ name, labels }: Watched): string {
  const project = labels['com.docker.compose.project']
  const service = labels['com.docker.compose.service']
  return project === undefined || service === undefined ? name : `${project}/${service}`
}

function describe({ path, message }: Issue): string {
  const [first = '', ...rest] = path.filter((step) => typeof step === 'string')
  const label = [...KEYS].find(([, key]) => key === first)?.[0] ?? first
  return `label ${oneLine([PREFIX.slice(0, -1), label, ...rest].join('.'))}: ${message}`
}

/** What one container's labels say of its service otherwise than the first's. */
function differenceOf(container: Watched, first: Watched): string | undefined {
  const own = new Map(ownLabels(container))
  const others = new Map(ownLabels(first))
  const label = [...own.keys(), ...others.keys()].sort().find((key) => own.get(key) !== others.get(key))
  if (label === undefined) return undefined
  const show = (text: string | undefined) => (text === undefined ? 'missing' : quoteValue(text))
  return `label ${oneLine(label)}: ${show(own.get(label))}; expected ${show(others.get(label))} as container ${quoteValue(first.name)} of the same service has`
}

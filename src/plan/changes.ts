import { formatAddress, formatPrefix } from '../address.ts'
import {
  type Config,
  type ContainerConfig,
  formatPortRule,
  type PinFile,
  type ServiceConfig,
  type SourceRules,
} from '../config/config.ts'
import type { Change, FieldChange } from './plan.ts'

/** What a config has that another one has not, or otherwise. Pure. */
export function configChanges(before: Config, after: Config): readonly Change[] {
  const fields = fieldChanges(settingsOf(before), settingsOf(after))
  return [
    ...fields.map(
      (field): Change => ({ kind: 'setting', change: changeOf(field), name: field.field, fields: [field] }),
    ),
    ...compared(before.services, after.services, ({ name }) => name).flatMap(([a, b]) =>
      serviceChanges(a, b),
    ),
  ]
}

function serviceChanges(before: ServiceConfig | undefined, after: ServiceConfig | undefined): Change[] {
  if (before === after) return []
  const { name } = (after ?? before)!
  return [
    ...changeBetween('service', name, before && fieldsOf(before), after && fieldsOf(after, before)),
    ...compared(before?.containers, after?.containers, (one) => one.name).flatMap(([a, b]) =>
      changeBetween('container', (b ?? a)!.name, a && containerFields(a), b && containerFields(b), name),
    ),
    ...compared(pinsOf(before), pinsOf(after), (pin) => pin.source).flatMap(([a, b]) =>
      changeBetween('pin', (b ?? a)!.source, a && pinFields(a), b && pinFields(b), name),
    ),
  ]
}

type Fields = Readonly<Record<string, string | undefined>>

function changeBetween(
  kind: Change['kind'],
  name: string,
  before: Fields | undefined,
  after: Fields | undefined,
  service?: string,
): readonly Change[] {
  const fields = fieldChanges(before ?? {}, after ?? {})
  if (before !== undefined && after !== undefined && fields.length === 0) return []
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
  return [{ kind, change, name, ...(service === undefined ? {} : { service }), fields }]
}

const changeOf = ({ from, to }: FieldChange): Change['change'] =>
  from === undefined ? 'added' : to === undefined ? 'removed' : 'changed'

const fieldChanges = (before: Fields, after: Fields): readonly FieldChange[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((field) => {
    const [from, to] = [before[field], after[field]]
    if (from === to) return []
    return [{ field, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }]
  })

/** Items of either list by name, those that only the first has at the end. */
function compared<Item>(
  before: readonly Item[] = [],
  after: readonly Item[] = [],
  nameOf: (item: Item) => string,
): readonly (readonly [Item | undefined, Item | undefined])[] {
  const old = new Map(before.map((item) => [nameOf(item), item]))
  const names = new Set(after.map(nameOf))
  return [
    ...after.map((item) => [old.get(nameOf(item)), item] as const),
    ...before.filter((item) => !names.has(nameOf(item))).map((item) => [item, undefined] as const),
  ]
}

/** Those that a reload takes; the others it refuses (daemon/fixed.ts). */
const settingsOf = ({ interfaces, unserved, hairpin, newSources, docker }: Config): Fields => ({
  'interfaces.bridges': interfaces.bridges.join(', '),
  'interfaces.uplinks': interfaces.uplinks.length === 0 ? undefined : interfaces.uplinks.join(', '),
  unserved,
  hairpin: hairpin === undefined ? 'off' : 'on',
  'hairpin.alias4': hairpin && formatPrefix(hairpin.alias4),
  'hairpin.alias6': hairpin && formatPrefix(hairpin.alias6),
  'hairpin.sources': hairpin?.sources?.map(formatPrefix).join(', '),
  newSources: newSources && plainText(newSources),
  docker: docker?.socket,
})

/** `earlier`: as it was, with the files that there were. */
const fieldsOf = (service: ServiceConfig, earlier?: ServiceConfig): Fields => ({
  addresses: service.addresses.map(formatAddress).join(', '),
  ports: service.ports === 'all' ? 'all' : service.ports.map(formatPortRule).join(', '),
  containers: service.source && plainText(service.source),
  algorithm: service.algorithm,
  'affinity.scope': service.affinity.scope,
  'affinity.group': service.affinity.group,
  'affinity.prefix4': String(service.affinity.prefix4),
  'affinity.prefix6': String(service.affinity.prefix6),
  'affinity.idle': `${service.affinity.idleSeconds}s`,
  health: service.health && plainText(service.health),
  slowStart: service.slowStartMs === undefined ? undefined : `${service.slowStartMs / 1000}s`,
  maximumShare: service.maximumShare === undefined ? undefined : `${Math.round(service.maximumShare * 100)}%`,
  pinsFrom: service.pinFile && pinFileText(service.pinFile, earlier?.pinFile),
  sources: service.sources && sourcesText(service.sources, earlier?.sources),
  quota: service.quota === undefined ? undefined : String(service.quota),
  empty: service.empty,
  replies: service.replies,
})

/** As many pins as before may be others. */
const pinFileText = ({ name, table, sets }: PinFile, earlier?: PinFile): string => {
  const isSame = earlier === undefined || (table.isSameAs(earlier.table) && `${sets}` === `${earlier.sets}`)
  return `${name}: ${table.size} pins${isSame ? '' : ', others than before'}`
}

const sourcesText = ({ table, isOpen, denied }: SourceRules, earlier?: SourceRules): string => {
  const isSame = earlier === undefined || table.isSameAs(earlier.table)
  const others = `others ${isOpen ? 'allowed' : 'denied'} (${denied})`
  return `${table.size} prefixes${isSame ? '' : ', others than before'}, ${others}`
}

/** `type http, path /, interval 5000`. */
const plainText = (value: object): string =>
  Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .map(([key, part]) =>
      typeof part === 'object' && part !== null && !Array.isArray(part) ? plainText(part) : `${key} ${part}`,
    )
    .join(', ')

const containerFields = ({ address, address6, port, weight }: ContainerConfig): Fields => ({
  address: address && formatAddress(address),
  address6: address6 && formatAddress(address6),
  port: port === undefined ? undefined : String(port),
  weight: String(weight),
})

interface PinText {
  readonly source: string
  readonly containers: string
}

const pinsOf = (service: ServiceConfig | undefined): readonly PinText[] =>
  service?.pins.map(({ source, containers }) => ({
    source: formatPrefix(source),
    containers: containers.join(' '),
  })) ?? []

const pinFields = ({ containers }: PinText): Fields => ({ containers })

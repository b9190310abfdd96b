import { covers, type Prefix } from '../address.ts'
import { parsePrefix } from '../config/address.ts'
import type { EventBody, EventFilter } from './event.ts'

/** Those left out may have been wanted, so that whoever wants their kind is told. */
export function isWanted(event: EventBody, { types, service, source }: EventFilter): boolean {
  if (event.type === 'more')
    return types === undefined || [...types].some((type) => isAmong(type, event.counts))
  if (types !== undefined && !types.has(event.type)) return false
  if (service !== undefined && !servicesOf(event).includes(service)) return false
  return source === undefined || ('source' in event && meets(source, parsePrefix(event.source)))
}

const isAmong = (type: string, counts: Readonly<Record<string, number>>): boolean =>
  type === 'more' || Object.keys(counts).some((name) => name.startsWith(`${type} `))

const servicesOf = (event: EventBody): readonly string[] =>
  'services' in event && typeof event.services === 'object'
    ? event.services
    : 'service' in event
      ? [event.service]
      : []

/** Whether an address can be in both. */
export const meets = (a: Prefix, b: Prefix | undefined): boolean =>
  b !== undefined && (a.length <= b.length ? covers(a, b.address) : covers(b, a.address))

import type { Config, ServiceConfig } from '../config/config.ts'
import { Places } from '../config/places.ts'
import { isSame } from '../config/same.ts'
import type { Conditions } from '../containers/conditions.ts'
import { type ContainerEvent, type EventBody, MOST_NAMES } from './event.ts'

/** Services and containers that came, went or changed between two configs. A service that is the same object is as it was. */
export function configChanges(before: Config, after: Config): readonly EventBody[] {
  const old = byName(before.services.filter((service, i) => service !== after.services[i]))
  const now = byName(after.services.filter((service, i) => service !== before.services[i]))
  const gone = [...old.keys()].filter((name) => !now.has(name))
  const come = [...now.keys()].filter((name) => !old.has(name))
  const changed = [...now.values()].flatMap((service): EventBody[] => {
    const settings = changedSettings(old.get(service.name) ?? service, service)
    return settings.length === 0
      ? []
      : [{ type: 'service', change: 'changed', service: service.name, settings }]
  })
  return [
    ...gone.map((service) => ({ type: 'service', change: 'removed', service }) as const),
    ...come.map((service) => ({ type: 'service', change: 'added', service }) as const),
    ...changed,
    ...containerChanges(differing(old, now), differing(now, old)),
  ]
}

type ByName = ReadonlyMap<string, ServiceConfig>

const byName = (services: readonly ServiceConfig[]): ByName =>
  new Map(services.map((service) => [service.name, service]))

/** Others only stand in another place. */
const differing = (services: ByName, others: ByName): readonly ServiceConfig[] =>
  [...services.values()].filter((service) => others.get(service.name) !== service)

/** As the config calls them. Containers are told apart from the rest: they come and go on their own. */
function changedSettings(before: ServiceConfig, after: ServiceConfig): readonly string[] {
  const keys = Object.keys({ ...before, ...after }) as (keyof ServiceConfig)[]
  return keys
    .filter((key) => key !== 'containers' && !isSame(before[key], after[key]))
    .map((key) => WRITTEN[key] ?? key)
}

/** Settings that a config calls otherwise than we do. */
const WRITTEN: Readonly<Partial<Record<keyof ServiceConfig, string>>> = {
  pinFile: 'pinsFrom',
  slowStartMs: 'slowStart',
  source: 'containers',
}

function containerChanges(
  before: readonly ServiceConfig[],
  after: readonly ServiceConfig[],
): readonly EventBody[] {
  const old = placesOf(before)
  const now = placesOf(after)
  const without = (places: Places, others: Places, change: ContainerEvent['change']) =>
    [...places.containerNames].flatMap((container): ContainerEvent[] => {
      const there = new Set(others.servicesOf(container))
      const services = [...places.servicesOf(container)].filter((name) => !there.has(name))
      return services.length === 0
        ? []
        : [{ type: 'container', change, container, services: services.slice(0, MOST_NAMES) }]
    })
  return [...without(old, now, 'removed'), ...without(now, old, 'added')]
}

function placesOf(services: readonly ServiceConfig[]): Places {
  const places = new Places()
  places.follow(services)
  return places
}

/** Containers of which something else is said than before; `whyOf`: what a check failed with. */
export function conditionChanges(
  before: Conditions,
  after: Conditions,
  servicesOf: (container: string) => Iterable<string>,
  whyOf: (container: string) => string | undefined,
): readonly ContainerEvent[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((container) => {
    const services = [...servicesOf(container)].slice(0, MOST_NAMES)
    const was = before.get(container)
    const is = after.get(container)
    const event = { type: 'container', container, services } as const
    const [from, state] = [was?.state ?? 'ready', is?.state ?? 'ready']
    const by = is?.by ?? was?.by
    const why = state === 'ready' ? undefined : whyOf(container)
    const turned: ContainerEvent = {
      ...event,
      change: state,
      from,
      ...(by === undefined ? {} : { by }),
      ...(why === undefined ? {} : { why }),
    }
    const weighed: ContainerEvent = { ...event, change: 'weight', by: 'operator' }
    return [
      ...(from === state || services.length === 0 ? [] : [turned]),
      ...(was?.weight === is?.weight || services.length === 0
        ? []
        : [
            {
              ...weighed,
              ...(was?.weight === undefined ? {} : { from: was.weight }),
              ...(is?.weight === undefined ? {} : { weight: is.weight }),
            },
          ]),
    ]
  })
}

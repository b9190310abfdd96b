import type { Config, ContainerConfig, ServiceConfig } from '../config/config.ts'
import { checkRules } from '../config/rules.ts'
import type { Condition, Conditions } from '../containers/conditions.ts'
import { OnehopError } from '../errors.ts'

/** What could become of containers. */
export interface Supposition {
  readonly down?: readonly string[] | undefined
  readonly drain?: readonly string[] | undefined
  /** Ready again, whoever says otherwise. */
  readonly up?: readonly string[] | undefined
  readonly weights?: readonly { readonly container: string; readonly weight: number }[] | undefined
  readonly add?: readonly { readonly service: string; readonly container: ContainerConfig }[] | undefined
  readonly remove?: readonly string[] | undefined
}

export interface Supposed {
  readonly config: Config
  readonly conditions: Conditions
}

/** The config and its containers' conditions as they would be then. Throws E_USAGE for a name that is not there, or for nothing. */
export function suppose(config: Config, now: Conditions, supposition: Supposition): Supposed {
  const { down = [], drain = [], up = [], weights = [], add = [], remove = [] } = supposition
  const named = [...down, ...drain, ...up, ...remove, ...weights.map(({ container }) => container)]
  if (named.length + add.length === 0)
    throw new OnehopError('E_USAGE', 'nothing is supposed; expected a container down, drained, added, …')
  checkNames(config, named, add)
  const services = config.services.map((service) => without(withAdded(service, add), remove))
  if (add.length > 0) checkAdded({ ...config, services })
  const conditions = new Map(now)
  const change = (name: string, changed: Partial<Condition>) =>
    conditions.set(name, { state: 'ready', weight: undefined, ...conditions.get(name), ...changed })
  for (const name of up) change(name, { state: 'ready' })
  for (const name of drain) change(name, { state: 'draining' })
  for (const name of down) change(name, { state: 'down' })
  for (const { container, weight } of weights) change(container, { weight })
  return { config: { ...config, services }, conditions }
}

type Added = NonNullable<Supposition['add']>

/** A service that nothing is said of stays the same object. */
function withAdded(service: ServiceConfig, add: Added): ServiceConfig {
  const added = add.filter((one) => one.service === service.name).map(({ container }) => container)
  return added.length === 0 ? service : { ...service, containers: [...service.containers, ...added] }
}

function without(service: ServiceConfig, names: readonly string[]): ServiceConfig {
  if (!service.containers.some(({ name }) => names.includes(name))) return service
  return { ...service, containers: service.containers.filter(({ name }) => !names.includes(name)) }
}

function checkNames({ services }: Config, named: readonly string[], add: Added): void {
  const containers = new Set(services.flatMap((service) => service.containers.map(({ name }) => name)))
  const unknown = named.find((name) => !containers.has(name))
  if (unknown !== undefined)
    throw new OnehopError('E_USAGE', `"${unknown}" is no container; expected one of: onehop containers list`)
  const nowhere = add.find(({ service }) => !services.some(({ name }) => name === service))
  if (nowhere !== undefined)
    throw new OnehopError('E_USAGE', `"${nowhere.service}" is no service; expected one of: onehop status`)
}

function checkAdded(config: Config): void {
  const { services } = config
  const nameOf = (i: unknown) => `service "${services[Number(i)]?.name}"`
  const [issue] = checkRules(
    services.map((service, i) => ({ path: ['services', i], service })),
    config,
  )
  if (issue === undefined) return
  const message = issue.message.replace(/services\[([0-9]+)\]/g, (_, i) => nameOf(i))
  throw new OnehopError('E_USAGE', `${nameOf(issue.path[1])}: ${message}`)
}

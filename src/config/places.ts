import type { ServiceConfig } from './config.ts'

/**
 * Where services stand in the list of a config, and in which of them a container is. It follows one config after another at the
 * cost of what differs: with a hundred thousand containers a change must not begin with a look at each.
 */
export class Places {
  #services: readonly ServiceConfig[] = []
  readonly #positions = new Map<string, number>()
  /** Names of services; mostly it is one, and a set for each would be most of the memory. */
  readonly #containers = new Map<string, string | Set<string>>()

  get services(): readonly ServiceConfig[] {
    return this.#services
  }

  /** Positions where another object stands than before, also those behind the end of the shorter list. */
  follow(services: readonly ServiceConfig[]): readonly number[] {
    const before = this.#services
    const changed: number[] = []
    for (let i = 0; i < Math.max(before.length, services.length); i++)
      if (before[i] !== services[i]) changed.push(i)
    this.#services = services
    const moved = changed.filter((i) => !isSamePlace(before[i], services[i]))
    for (const i of moved) this.#leave(before[i])
    for (const i of moved) this.#enter(services[i], i)
    return changed
  }

  /** Undefined: there is no such service. */
  positionOf(service: string): number | undefined {
    return this.#positions.get(service)
  }

  has(container: string): boolean {
    return this.#containers.has(container)
  }

  /** Names of all containers. */
  get containerNames(): Iterable<string> {
    return this.#containers.keys()
  }

  /** How many containers there are, each once. */
  get containers(): number {
    return this.#containers.size
  }

  /** Names of the services that a container is in. */
  servicesOf(container: string): Iterable<string> {
    const names = this.#containers.get(container) ?? []
    return typeof names === 'string' ? [names] : names
  }

  #enter(service: ServiceConfig | undefined, position: number): void {
    if (service === undefined) return
    this.#positions.set(service.name, position)
    for (const { name } of service.containers) {
      const others = this.#containers.get(name)
      if (others instanceof Set) others.add(service.name)
      else if (others === undefined || others === service.name) this.#containers.set(name, service.name)
      else this.#containers.set(name, new Set([others, service.name]))
    }
  }

  #leave(service: ServiceConfig | undefined): void {
    if (service === undefined) return
    this.#positions.delete(service.name)
    for (const { name } of service.containers) {
      const others = this.#containers.get(name)
      if (others instanceof Set) others.delete(service.name)
      if (others === service.name || (others instanceof Set && others.size === 0))
        this.#containers.delete(name)
    }
  }
}

const isSamePlace = (before: ServiceConfig | undefined, now: ServiceConfig | undefined): boolean =>
  before?.name === now?.name && before?.containers === now?.containers

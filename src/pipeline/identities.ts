/**
 * Small numbers for names, for as long as the process lives: entries and counters keep meaning the same
 * service, container or scope across reloads. Numbers start at 1; 0 means none.
 */
export class Identities {
  readonly #services: Register
  readonly #containers: Register
  readonly #scopes: Register

  /** With all that another one has; what either learns later the other does not. */
  constructor(like?: Identities) {
    this.#services = new Register(like === undefined ? [] : like.#services.after(0))
    this.#containers = new Register(like === undefined ? [] : like.#containers.after(0))
    this.#scopes = new Register(like === undefined ? [] : like.#scopes.after(0))
  }

  service = (name: string): number => this.#services.idOf(name)
  container = (name: string): number => this.#containers.idOf(name)
  scope = (name: string): number => this.#scopes.idOf(name)

  serviceName = (id: number): string | undefined => this.#services.nameOf(id)
  containerName = (id: number): string | undefined => this.#containers.nameOf(id)
  /** Those that were added when there had been so many. */
  namesAfter(scopes: number, containers: number) {
    return { scopes: this.#scopes.after(scopes), containers: this.#containers.after(containers) }
  }

  scopeName = (id: number): string | undefined => this.#scopes.nameOf(id)
}

class Register {
  readonly #ids: Map<string, number>
  readonly #names: string[]

  constructor(names: readonly string[]) {
    this.#names = [...names]
    this.#ids = new Map(names.map((name, i) => [name, i + 1]))
  }

  idOf(name: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = this.#names.push(name)
    this.#ids.set(name, id)
    return id
  }

  after(count: number): readonly string[] {
    return this.#names.slice(count)
  }

  nameOf(id: number): string | undefined {
    return this.#names[id - 1]
  }
}

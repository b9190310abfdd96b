/**
 * Small numbers for names, for as long as the process lives: entries and counters keep meaning the same
 * service, container or scope across reloads. Numbers start at 1; 0 means none.
 */
export class Identities {
  readonly #services = new Register()
  readonly #containers = new Register()
  readonly #scopes = new Register()

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
  readonly #ids = new Map<string, number>()
  readonly #names: string[] = []

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

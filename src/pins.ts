import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { formatSource } from './address.ts'
import { parsePrefix } from './config/address.ts'
import type { Config, PinConfig, ServiceConfig } from './config/config.ts'
import { oneLine } from './config/issue.ts'
import { difference } from './difference.ts'
import { OnehopError } from './errors.ts'

/** What an operator pins on the running daemon: a source of a service to a container of it. */
export interface OperatorPin {
  readonly service: string
  /** An address, or a prefix with its length. */
  readonly source: string
  readonly container: string
}

const MOST_PINS = 10_000

const sourceSchema = z.string().refine((text) => parsePrefix(text) !== undefined, 'expected a prefix')

const fileSchema = z.strictObject({
  version: z.literal(1),
  pins: z
    .array(z.strictObject({ service: z.string(), source: sourceSchema, container: z.string() }))
    .max(MOST_PINS),
})

/**
 * The operator's pins, kept in a file beside the store: whole in its place before a change is answered, and read again
 * at the next start. Without a file they last as long as the process. One whose service or container is gone is kept, and
 * counts again when both are back.
 */
export class Pins {
  readonly #path: string | undefined
  #pins: ReadonlyMap<string, OperatorPin> = new Map()
  #byService: ReadonlyMap<string, readonly OperatorPin[]> = new Map()
  /** Of the services that have some. */
  readonly #applied = new WeakMap<ServiceConfig, Applied>()
  /** What `applied` was last asked for, and would say now. */
  #last = { services: NO_SERVICES, applied: NO_SERVICES }
  #changing: Promise<unknown> = Promise.resolve()

  constructor(path: string | undefined) {
    this.#path = path
  }

  /** Reads the file; resolves to why it cannot be read, and then it has been set aside. */
  async load(): Promise<string | undefined> {
    if (this.#path === undefined) return undefined
    try {
      const { pins } = fileSchema.parse(JSON.parse(await readFile(this.#path, 'utf8')))
      this.#replace(new Map(pins.map((pin) => [keyOf(pin), pin])))
      return undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      return await setAside(this.#path, error)
    }
  }

  list(): readonly OperatorPin[] {
    return [...this.#pins.values()]
  }

  /** Throws E_USAGE, and changes nothing, for a name that `config` does not have, a source that is none, or no disk. */
  pin(config: Config, pin: OperatorPin): Promise<void> {
    const { containers } = serviceOf(config, pin.service)
    const source = canonical(pin.source)
    if (!containers.some(({ name }) => name === pin.container))
      throw new OnehopError('E_USAGE', `"${pin.container}" is no container of service "${pin.service}"`)
    return this.#change((pins) => {
      pins.set(keyOf({ ...pin, source }), { ...pin, source })
      if (pins.size > MOST_PINS)
        throw new OnehopError('E_USAGE', `${MOST_PINS} pins already; expected more of them in the config`)
    })
  }

  /** The same for a pin that is not there. */
  unpin(service: string, source: string): Promise<void> {
    const wanted = { service, source: canonical(source) }
    return this.#change((pins) => {
      if (!pins.delete(keyOf(wanted)))
        throw new OnehopError(
          'E_USAGE',
          `${wanted.source} is not pinned in service "${service}" by an operator; expected one of: onehop table list --pins`,
        )
    })
  }

  /**
   * The config with these pins in it, each in the place of the config's own for the same source. A service is the same
   * object as the last time when it was then, and as in the config when it has none of these pins.
   */
  applied(config: Config): Config {
    if (this.#pins.size === 0) return config
    const { services } = config
    if (this.#last.services !== services)
      this.#last = { services, applied: services.map((service) => this.#appliedTo(service)) }
    return { ...config, services: this.#last.applied }
  }

  #appliedTo(service: ServiceConfig): ServiceConfig {
    const pins = this.#byService.get(service.name)
    if (pins === undefined) return service
    const known = this.#applied.get(service)
    if (known?.pins === pins) return known.service
    const names = new Set(service.containers.map(({ name }) => name))
    const own = pins.filter(({ container }) => names.has(container))
    const applied = { pins, service: own.length === 0 ? service : withPins(service, own) }
    this.#applied.set(service, applied)
    return applied.service
  }

  #replace(pins: ReadonlyMap<string, OperatorPin>): void {
    const { gone, come } = difference([...this.#pins.values()], [...pins.values()])
    const changed = new Set([...gone, ...come].map(({ service }) => service))
    const groups = groupByService(pins.values())
    for (const [name, own] of this.#byService) if (!changed.has(name)) groups.set(name, own)
    this.#pins = pins
    this.#byService = groups
    const { services, applied } = this.#last
    const next = applied.slice()
    for (const changedName of changed) {
      const place = services.findIndex(({ name }) => name === changedName)
      if (place >= 0) next[place] = this.#appliedTo(services[place]!)
    }
    this.#last = { services, applied: next }
  }

  /** One change after the other: on the disk first, then in force. */
  #change(change: (pins: Map<string, OperatorPin>) => void): Promise<void> {
    const changed = this.#changing.then(async () => {
      const next = new Map(this.#pins)
      change(next)
      if (this.#path !== undefined) await save(this.#path, [...next.values()])
      this.#replace(next)
    })
    this.#changing = changed.catch(() => {})
    return changed
  }
}

/** A service with the pins of the operator's that it has; it is the same for as long as `pins` is. */
interface Applied {
  readonly pins: readonly OperatorPin[]
  readonly service: ServiceConfig
}

const NO_SERVICES: Config['services'] = []

const keyOf = ({ service, source }: Pick<OperatorPin, 'service' | 'source'>): string => `${service} ${source}`

export function serviceOf(config: Config, name: string) {
  const service = config.services.find((candidate) => candidate.name === name)
  if (service === undefined)
    throw new OnehopError('E_USAGE', `"${name}" is no service; expected one of: onehop status`)
  return service
}

const textOf = ({ address, length }: PinConfig['source']): string => formatSource(address, length)

function canonical(text: string): string {
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return textOf(prefix)
  throw new OnehopError(
    'E_USAGE',
    `"${text}": expected an address or a prefix such as 198.51.100.0/24, no bits set after its length`,
  )
}

const toConfig = ({ source, container }: OperatorPin): PinConfig => ({
  source: parsePrefix(source)!,
  containers: [container],
})

function withPins(service: ServiceConfig, own: readonly OperatorPin[]): ServiceConfig {
  const replaced = new Set(own.map(({ source }) => source))
  const kept = service.pins.filter(({ source }) => !replaced.has(textOf(source)))
  return { ...service, pins: [...kept, ...own.map(toConfig)] }
}

function groupByService(pins: Iterable<OperatorPin>): Map<string, readonly OperatorPin[]> {
  const groups = new Map<string, OperatorPin[]>()
  for (const pin of pins) {
    const group = groups.get(pin.service)
    if (group === undefined) groups.set(pin.service, [pin])
    else group.push(pin)
  }
  return groups
}

async function save(path: string, pins: readonly OperatorPin[]): Promise<void> {
  try {
    await writeWhole(path, `${JSON.stringify({ version: 1, pins }, null, 2)}\n`)
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_USAGE', `${path}: ${syscall}: ${code}; nothing was changed`, { cause })
  }
}

/** There is the old file or the new one, after a power loss too. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function setAside(path: string, error: unknown): Promise<string> {
  const aside = `${path}.unreadable`
  const told = `${path}: ${whatIsWrong(error)}`
  return rename(path, aside).then(
    () => `${told}; set aside as ${aside}`,
    ({ syscall, code }: NodeJS.ErrnoException) =>
      `${told}; ${syscall}: ${code}, so it stays until the next pin`,
  )
}

function whatIsWrong(error: unknown): string {
  if (!(error instanceof z.ZodError)) return oneLine((error as Error).message)
  const { path, message } = error.issues[0]!
  return oneLine(`${path.join('.')}: ${message}`)
}

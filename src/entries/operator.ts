import { setImmediate as breathe } from 'node:timers/promises'
import { type Address, formatAddress, lengthOf, maskAddress, type PrefixLengths } from '../address.ts'
import { parseAddress } from '../config/address.ts'
import type { Config, PinConfig, PinFile, ServiceConfig } from '../config/config.ts'
import { OnehopError } from '../errors.ts'
import type { OperatorPin, Pins } from '../pins.ts'
import type { Identities } from '../pipeline/identities.ts'
import { formatScope, scopeNames, scopesOf } from '../scope.ts'
import { decodeRecord, encodeRecord, isUnreadable, type TableRecord } from '../table/record.ts'
import { entriesIn, makeRows, type Rows, rowCount, writeGone } from '../table/rows.ts'
import { compileFilter, type Filter, filtered } from './filter.ts'
import { type TableClock, translator } from './translate.ts'

export interface OperatedTable {
  rows(cursor: number, most: number): { readonly next: number; readonly rows: Rows }
  find(rows: Rows): Rows
  put(rows: Rows, isWhole: boolean): number
  forget(rows: Rows): number
}

export interface OperatorOptions {
  readonly table: OperatedTable
  readonly identities: Identities
  readonly pins: Pins
  readonly clock: TableClock
  /** With the containers as they are now. */
  readonly config: () => Config
  readonly publish: () => void
  readonly tell: (pin: OperatorPinEvent) => void
}

export interface OperatorPinEvent {
  readonly type: 'pin'
  readonly change: 'pinned' | 'unpinned'
  readonly service: string
  readonly source: string
  readonly container?: string
}

/** One entry as people read it; times in ISO 8601. */
export interface EntryText {
  readonly scope: string
  readonly source: string
  readonly container: string
  readonly origin: string
  readonly since: string
  readonly seen: string
  readonly packets: number
  readonly bytes: number
}

export interface SourceText {
  readonly entries: readonly EntryText[]
  /** The longest that covers it in each service. */
  readonly pins: readonly (OperatorPin & { readonly by: 'config' | 'operator' })[]
}

/** What entries of a scope may say. Of a source counts the most that does in one of its services. */
export interface ScopeText extends PrefixLengths {
  readonly scope: string
  readonly name: string
  readonly containers: readonly string[]
}

/** As many as cost the event loop some milliseconds: it has health checks to see to. */
const ROWS_A_PAGE = 32_768
export const MOST_IMPORTED = 2_000_000

/** What an operator may ask of the table and do to it. All of it throws E_USAGE for what cannot be meant. */
export class TableOperator {
  readonly #options: OperatorOptions

  constructor(options: OperatorOptions) {
    this.#options = options
  }

  /** Entries from a cursor on, 0 for the first, as a record; `next` is 0 at the end. A page may be empty before that. */
  page(cursor: number, filter: Filter): { readonly next: number; readonly record: Uint8Array } {
    const { table, identities, clock } = this.#options
    const matches = compileFilter(filter, this.#options.config(), identities)
    const { next, rows } = table.rows(cursor, ROWS_A_PAGE)
    return { next, record: encodeRecord(filtered(rows, matches), identities, clock.zeroMs()) }
  }

  /** What is known of one client, in every service. */
  source(text: string): SourceText {
    const { table, identities } = this.#options
    const address = parseAddress(text)
    if (address === undefined) throw new OnehopError('E_USAGE', `"${text}": expected an IPv4 or IPv6 address`)
    const { services } = this.#options.config()
    const keys = new Map(
      services.flatMap((service) => {
        const source = maskAddress(address, lengthOf(address, service.affinity))
        return [...scopeNames(service)].map((scope) => [`${scope}/${source}`, { scope, source }] as const)
      }),
    )
    const rows = makeRows(keys.size)
    for (const [row, { scope, source }] of [...keys.values()].entries())
      writeGone(rows, row, { scope: identities.scope(scope), source })
    return { entries: this.#texts(table.find(rows)), pins: this.#pinsOf(address, services) }
  }

  /** Lets the event loop go on between pages. Resolves to how many there were. */
  async forget(filter: Filter): Promise<number> {
    const { table, identities } = this.#options
    const matches = compileFilter(filter, this.#options.config(), identities)
    let forgotten = 0
    let cursor = 0
    do {
      const { next, rows } = table.rows(cursor, ROWS_A_PAGE)
      forgotten += table.forget(filtered(rows, matches))
      cursor = next
      await breathe()
    } while (cursor !== 0)
    return forgotten
  }

  /** A record's entries into the table: all, or none. Returns how many. */
  import(bytes: Uint8Array): number {
    const { table } = this.#options
    const record = decodeRecord(bytes)
    if (isUnreadable(record)) throw new OnehopError('E_USAGE', 'not what onehop table import sends')
    if (rowCount(record.rows) > MOST_IMPORTED)
      throw new OnehopError(
        'E_USAGE',
        `${rowCount(record.rows)} rows; expected at most ${MOST_IMPORTED} at once`,
      )
    this.#translate(record)
    const lacking = table.put(record.rows, true)
    if (lacking > 0)
      throw new OnehopError('E_USAGE', `the table has no room for ${lacking} of them; nothing was imported`)
    return rowCount(record.rows)
  }

  scopes(): Iterable<ScopeText> {
    return scopeTexts(this.#options.config())
  }

  pins(): readonly OperatorPin[] {
    return this.#options.pins.list()
  }

  async pin(pin: OperatorPin): Promise<void> {
    await this.#options.pins.pin(this.#options.config(), pin)
    this.#options.publish()
    this.#options.tell({ type: 'pin', change: 'pinned', ...pin })
  }

  async unpin(service: string, source: string): Promise<void> {
    await this.#options.pins.unpin(service, source)
    this.#options.publish()
    this.#options.tell({ type: 'pin', change: 'unpinned', service, source })
  }

  #translate(record: TableRecord): void {
    const { identities, config, clock } = this.#options
    const translate = translator(record, scopesOf(config(), identities), clock, 0)
    for (let row = 0; row < rowCount(record.rows); row++)
      if (!translate(row))
        throw new OnehopError('E_USAGE', `row ${row + 1}: its container is none of its service's any more`)
  }

  #texts(rows: Rows): readonly EntryText[] {
    const { identities, clock } = this.#options
    const zeroMs = clock.zeroMs()
    return [...entriesIn(rows)].map((entry) => ({
      scope: formatScope(identities.scopeName(entry.scope) ?? ''),
      source: formatAddress(entry.source),
      container: identities.containerName(entry.container) ?? '',
      origin: entry.origin,
      since: isoTime(zeroMs + entry.sinceSeconds * 1000),
      seen: isoTime(zeroMs + entry.seenSeconds * 1000),
      packets: entry.packets,
      bytes: entry.bytes,
    }))
  }

  #pinsOf(address: Address, services: Config['services']): SourceText['pins'] {
    const byOperator = new Set(this.pins().map(({ service, source }) => `${service} ${source}`))
    return services.flatMap(({ name, pins, pinFile }) => {
      const pin = longest([...pins, ...inFile(pinFile, address)], address)
      if (pin === undefined) return []
      const { address: prefix, length } = pin.source
      const source =
        length === prefix.length * 4 ? formatAddress(prefix) : `${formatAddress(prefix)}/${length}`
      const by = byOperator.has(`${name} ${source}`) ? 'operator' : 'config'
      return [{ service: name, source, container: pin.containers.join(' '), by } as const]
    })
  }
}

/** Made while it is read: there may be a hundred thousand containers. */
export function* scopeTexts(config: Pick<Config, 'services'>): Generator<ScopeText> {
  for (const [name, services] of servicesByScope(config))
    yield {
      scope: formatScope(name),
      name,
      containers: [...new Set(services.flatMap(({ containers }) => containers.map((own) => own.name)))],
      prefix4: Math.max(...services.map(({ affinity }) => affinity.prefix4)),
      prefix6: Math.max(...services.map(({ affinity }) => affinity.prefix6)),
    }
}

function servicesByScope({ services }: Pick<Config, 'services'>): ReadonlyMap<string, ServiceConfig[]> {
  const sharing = new Map<string, ServiceConfig[]>()
  for (const service of services)
    for (const name of scopeNames(service)) {
      const others = sharing.get(name)
      if (others === undefined) sharing.set(name, [service])
      else others.push(service)
    }
  return sharing
}

/** The longest of a file's pins that cover an address. */
function inFile(file: PinFile | undefined, address: Address): readonly PinConfig[] {
  const [first] = file?.table.covering(address) ?? []
  if (file === undefined || first === undefined) return []
  const source = { address: maskAddress(address, first.length), length: first.length }
  return [{ source, containers: file.sets[first.number]! }]
}

const longest = (pins: readonly PinConfig[], address: Address): PinConfig | undefined =>
  pins
    .filter(
      ({ source }) =>
        source.address.length === address.length && maskAddress(address, source.length) === source.address,
    )
    .sort((a, b) => b.source.length - a.source.length)[0]

const isoTime = (ms: number): string =>
  new Date(Math.round(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')

import { type Address, addressBits, lengthOf, maskAddress } from '../../address.ts'
import { parseAddress } from '../../config/address.ts'
import { quoteValue } from '../../config/issue.ts'
import type { ScopeText } from '../../entries/operator.ts'
import type { Names } from '../../table/record.ts'
import type { SourceKey } from '../../table/source.ts'
import type { Entry, Origin } from '../../table/table.ts'
import { FIELDS } from './entry-text.ts'

type Field = (typeof FIELDS)[number]
type Values = Partial<Record<Field, unknown>>

interface KnownScope extends ScopeText {
  readonly id: number
  readonly containerIds: ReadonlyMap<string, number>
}

const REQUIRED: readonly Field[] = ['scope', 'source', 'container']
const MOST_PACKETS = 0xffff_ffff

/** Lines of an export, CSV under a header or JSON, as entries; scopes and containers get numbers of its own. */
export class LineReader {
  /** Times count from now: what is left out is just seen. */
  readonly zeroMs = Date.now()
  readonly #scopes: ReadonlyMap<string, KnownScope>
  readonly #containers: readonly string[]
  readonly #names: readonly string[]
  readonly #seconds = new Map<string, number>()
  #header: readonly Field[] | undefined

  constructor(scopes: readonly ScopeText[]) {
    this.#containers = [...new Set(scopes.flatMap(({ containers }) => containers))]
    this.#names = scopes.map(({ name }) => name)
    const ids = new Map(this.#containers.map((name, i) => [name, i + 1]))
    this.#scopes = new Map(
      scopes.map((scope, i) => {
        const containerIds = new Map(scope.containers.map((name) => [name, ids.get(name)!]))
        return [scope.scope, { ...scope, id: i + 1, containerIds }]
      }),
    )
  }

  get names(): Names {
    return {
      scopeName: (id) => this.#names[id - 1],
      containerName: (id) => this.#containers[id - 1],
    }
  }

  /** The first line of CSV names its fields. */
  takesHeader(line: string): boolean {
    if (this.#header !== undefined || line.startsWith('{')) return false
    const names = line.split(',')
    if (REQUIRED.every((field) => names.includes(field)) && names.every(isField)) this.#header = names
    return this.#header !== undefined
  }

  /** An entry, or what is wrong with the line. */
  read(line: string): (SourceKey & Entry) | string {
    const values = line.startsWith('{') ? readJson(line) : this.#readCsv(line)
    if (typeof values === 'string') return values
    const scope = typeof values.scope === 'string' ? this.#scopes.get(values.scope) : undefined
    if (scope === undefined)
      return `scope ${quoteValue(values.scope)}; expected one of ${some(this.#scopes.keys())}`
    const source = readSource(values.source, scope)
    if (source.fault !== undefined) return source.fault
    const container =
      typeof values.container === 'string' ? scope.containerIds.get(values.container) : undefined
    if (container === undefined)
      return `container ${quoteValue(values.container)}; expected one of ${some(scope.containerIds.keys())}`
    const sinceSeconds = this.#time(values.since)
    const seenSeconds = this.#time(values.seen)
    if (sinceSeconds === undefined) return `since ${quoteValue(values.since)}; ${TIME}`
    if (seenSeconds === undefined) return `seen ${quoteValue(values.seen)}; ${TIME}`
    const packets = readCount(values.packets, MOST_PACKETS)
    const bytes = readCount(values.bytes, Number.MAX_SAFE_INTEGER)
    if (packets === undefined) return `packets ${quoteValue(values.packets)}; expected 0 to ${MOST_PACKETS}`
    if (bytes === undefined) return `bytes ${quoteValue(values.bytes)}; expected a whole number from 0 on`
    return {
      scope: scope.id,
      source: source.address,
      container,
      origin: readOrigin(values.origin),
      sinceSeconds,
      seenSeconds,
      packets,
      bytes,
    }
  }

  #readCsv(line: string): Values | string {
    const header = this.#header
    if (header === undefined)
      return `${quoteValue(line)}; expected a header such as ${FIELDS.join(',')}, or JSON`
    const cells = line.split(',')
    if (cells.length !== header.length)
      return `${cells.length} values; expected ${header.length}, as in the header`
    const values: Values = {}
    for (const [i, field] of header.entries()) values[field] = cells[i]
    return values
  }

  #time(value: unknown): number | undefined {
    if (value === undefined || value === '') return 0
    if (typeof value !== 'string') return undefined
    const known = this.#seconds.get(value)
    if (known !== undefined) return known
    if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value)) return undefined
    const seconds = Math.round((Date.parse(value) - this.zeroMs) / 1000)
    if (Number.isNaN(seconds) || Math.abs(seconds) >= 2 ** 31) return undefined
    this.#seconds.set(value, seconds)
    return seconds
  }
}

const TIME = 'expected a time such as 2026-01-31T12:00:00Z'

const isField = (name: string): name is Field => (FIELDS as readonly string[]).includes(name)

function readJson(line: string): Values | string {
  try {
    const values = JSON.parse(line) as Values
    const unknown = Object.keys(values).find((name) => !isField(name))
    return unknown === undefined ? values : `${quoteValue(unknown)}: no field; expected ${FIELDS.join(', ')}`
  } catch {
    return 'no JSON; expected one object a line'
  }
}

type Source = { readonly address: Address; readonly fault?: undefined } | { readonly fault: string }

function readSource(value: unknown, scope: ScopeText): Source {
  const address = typeof value === 'string' ? (parseQuickly(value) ?? parseAddress(value)) : undefined
  if (address === undefined) return { fault: `source ${quoteValue(value)}; expected an IPv4 or IPv6 address` }
  const prefix = lengthOf(address, scope)
  if (prefix === addressBits(address) || maskAddress(address, prefix) === address) return { address }
  return {
    fault: `source ${quoteValue(value)}; expected no bits after the first ${prefix}, which is what counts in ${scope.scope}`,
  }
}

/** The forms that an export has, a million of which the strict parser takes seconds for; it has the last word on others. */
function parseQuickly(text: string): Address | undefined {
  const dots = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (dots !== null) return fromOctets(dots)
  if (!/^[0-9a-f]{1,4}(:[0-9a-f]{1,4})*(::([0-9a-f]{1,4}(:[0-9a-f]{1,4})*)?)?$/.test(text)) return undefined
  const [head, tail] = text.split('::')
  const before = head!.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = 8 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  return [...before, ...new Array<string>(missing).fill('0'), ...after]
    .map((group) => group.padStart(4, '0'))
    .join('') as Address
}

function fromOctets(octets: readonly string[]): Address | undefined {
  let hex = ''
  for (let i = 1; i <= 4; i++) {
    const octet = octets[i]!
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return undefined
    hex += Number(octet).toString(16).padStart(2, '0')
  }
  return hex as Address
}

/** Import makes `restored` of it. */
const readOrigin = (value: unknown): Origin =>
  value === 'pinned' || value === 'assigned' ? value : 'restored'

function readCount(value: unknown, most: number): number | undefined {
  if (value === undefined || value === '') return 0
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= most
    ? number
    : undefined
}

const MOST_NAMED = 5

const some = (names: Iterable<string>): string => {
  const all = [...names]
  return all.slice(0, MOST_NAMED).join(', ') + (all.length > MOST_NAMED ? ', …' : '')
}

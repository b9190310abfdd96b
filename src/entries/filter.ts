import { type Address, isAddress4, mappedBytes } from '../address.ts'
import { parsePrefix } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { OnehopError } from '../errors.ts'
import { serviceOf } from '../pins.ts'
import type { Identities } from '../pipeline/identities.ts'
import { scopeNames } from '../scope.ts'
import { containerOf, makeRows, ROW_WORDS, type Rows, rowCount, scopeOf, sliceRows } from '../table/rows.ts'

/** Which entries: those of a service (in all its scopes), of a container, under a prefix; all that is given must hold. */
export interface Filter {
  readonly service?: string | undefined
  readonly container?: string | undefined
  /** An address, or a prefix with its length. */
  readonly prefix?: string | undefined
}

type Matches = (rows: Rows, row: number) => boolean

/** The rows of a batch that a filter lets through. */
export function filtered(rows: Rows, matches: readonly Matches[]): Rows {
  if (matches.length === 0) return rows
  const kept = makeRows(rowCount(rows))
  let count = 0
  for (let row = 0; row < rowCount(rows); row++)
    if (matches.every((match) => match(rows, row)))
      kept.set(sliceRows(rows, row, row + 1), count++ * ROW_WORDS)
  return sliceRows(kept, 0, count)
}

/** Throws E_USAGE for a service or container that the config does not have, or a prefix that is none. */
export function compileFilter(filter: Filter, config: Config, identities: Identities): readonly Matches[] {
  const { service, container, prefix } = filter
  return [
    ...(service === undefined ? [] : [ofService(service, config, identities)]),
    ...(container === undefined ? [] : [ofContainer(container, config, identities)]),
    ...(prefix === undefined ? [] : [underPrefix(prefix)]),
  ]
}

function ofService(name: string, config: Config, identities: Identities): Matches {
  const scopes = new Set([...scopeNames(serviceOf(config, name))].map(identities.scope))
  return (rows, row) => scopes.has(scopeOf(rows, row))
}

function ofContainer(name: string, { services }: Config, identities: Identities): Matches {
  if (!services.some(({ containers }) => containers.some((container) => container.name === name)))
    throw new OnehopError('E_USAGE', `"${name}" is no container; expected one of: onehop containers list`)
  const id = identities.container(name)
  return (rows, row) => containerOf(rows, row) === id
}

function underPrefix(text: string): Matches {
  const prefix = parsePrefix(text)
  if (prefix === undefined)
    throw new OnehopError(
      'E_USAGE',
      `"${text}": expected an address or a prefix such as 198.51.100.0/24, no bits set after its length`,
    )
  const family = isAddress4(prefix.address) ? 0 : 1
  const wanted = wordsOf(prefix.address)
  const masks = wordsOf(maskOf(prefix.length + (family === 0 ? 96 : 0)))
  return (rows, row) => {
    const at = row * ROW_WORDS
    if ((rows[at + 4]! & 1) !== family) return false
    for (let word = 0; word < 4; word++)
      if (((rows[at + word]! ^ wanted[word]!) & masks[word]!) !== 0) return false
    return true
  }
}

const wordsOf = (address: Address): Uint32Array => new Uint32Array(mappedBytes(address).buffer)

/** The first `length` of 128 bits set. */
const maskOf = (length: number): Address =>
  ((2n ** BigInt(length) - 1n) << BigInt(128 - length)).toString(16).padStart(32, '0') as Address

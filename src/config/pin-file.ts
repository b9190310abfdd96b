import { readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Address } from '../address.ts'
import { PrefixTable } from '../prefix-table.ts'
import { parsePrefix } from './address.ts'
import type { Config, PinFile, ServiceConfig } from './config.ts'
import { configError, MOST_SHOWN } from './issue.ts'

/** Some four million pins. */
const LARGEST_BYTES = 256 * 1024 * 1024
/** Of a table's numbers: more different sets of containers are no longer a list of exceptions. */
const MOST_SETS = 4_096

/**
 * The config with the files that its services' `pinsFrom` names read: a line a pin, `PREFIX,CONTAINER` or
 * `PREFIX,CONTAINER,CONTAINER…`; empty lines and those that begin with `#` count nothing. Throws E_CONFIG that names file and
 * line of what is wrong.
 */
export function withPinFiles(config: Config, folder: string): Config {
  if (config.services.every(({ pinFile }) => pinFile === undefined)) return config
  return { ...config, services: config.services.map((service) => withPinFile(service, folder)) }
}

function withPinFile(service: ServiceConfig, folder: string): ServiceConfig {
  if (service.pinFile === undefined) return service
  const { name } = service.pinFile
  const path = isAbsolute(name) ? name : join(folder, name)
  const names = new Set(service.containers.map((container) => container.name))
  // Those of a source come and go.
  const isContainer = (container: string) => service.source !== undefined || names.has(container)
  return { ...service, pinFile: { name, ...readPins(readText(path), path, isContainer) } }
}

function readText(path: string): string {
  try {
    if (statSync(path).size > LARGEST_BYTES)
      throw configError([
        `${path}:1:1: larger than the ${LARGEST_BYTES / 1024 / 1024} MiB a file of pins may have`,
      ])
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    if (syscall === undefined) throw cause
    throw configError([`${path}: ${syscall}: ${code}; expected a file of pins, as pinsFrom says`])
  }
}

export function readPins(
  text: string,
  path: string,
  isContainer: (name: string) => boolean,
): Omit<PinFile, 'name'> {
  const table = new PrefixTable()
  const numbers = new Map<string, number>()
  const faults: string[] = []
  let line = 0
  for (let start = 0; start < text.length && faults.length < MOST_SHOWN; ) {
    line++
    const end = text.indexOf('\n', start)
    const row = text.slice(start, end === -1 ? text.length : end).trimEnd()
    start = end === -1 ? text.length : end + 1
    if (row === '' || row.startsWith('#')) continue
    const fault = addRow(row, table, numbers, isContainer)
    if (fault !== undefined) faults.push(`${path}:${line}:1: ${fault}`)
  }
  if (faults.length > 0) throw configError(faults)
  return { table, sets: Array.from(numbers.keys(), (set) => set.split(',')) }
}

/** Returns what is wrong. */
function addRow(
  row: string,
  table: PrefixTable,
  numbers: Map<string, number>,
  isContainer: (name: string) => boolean,
): string | undefined {
  const comma = row.indexOf(',')
  const [source, set] = comma === -1 ? [row, ''] : [row.slice(0, comma), row.slice(comma + 1)]
  const prefix = plainPrefix4(source) ?? parsePrefix(source)
  if (prefix === undefined)
    return `"${source}"; expected an address or a prefix such as 198.51.100.0/24, no bits set after its length`
  const known = numbers.get(set)
  if (known === undefined) {
    const unknown = set.split(',').find((name) => name === '' || !isContainer(name))
    if (unknown !== undefined) return `"${unknown}" is no container of the service; expected PREFIX,CONTAINER`
    if (numbers.size === MOST_SETS) return `another set of containers; expected at most ${MOST_SETS} of them`
    numbers.set(set, numbers.size)
  }
  return table.add(prefix, known ?? numbers.size - 1) ? undefined : `${source} given twice`
}

/** What nearly all lines hold, a hundred times as fast as the strict parser; undefined for anything else. */
function plainPrefix4(text: string): { address: Address; length: number } | undefined {
  const found =
    /^([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])(?:\/([12]?\d|3[0-2]))?$/.exec(
      text,
    )
  if (found === null) return undefined
  const [a, b, c, d] = found.slice(1, 5).map(Number) as [number, number, number, number]
  const length = found[5] === undefined ? 32 : Number(found[5])
  const bits = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  if (length < 32 && (bits << length) >>> 0 !== 0) return undefined
  return { address: bits.toString(16).padStart(8, '0') as Address, length }
}

import { PrefixTable } from '../prefix-table.ts'
import type { Config, PinFile, ServiceConfig } from './config.ts'
import { quoteValue } from './issue.ts'
import { parseSource, pathFrom, readRows, readText } from './prefix-file.ts'

/** Of a table's numbers: more different sets of containers are no longer a list of exceptions. */
const MOST_SETS = 4_096

/**
 * The config with the files that its services' `pinsFrom` names read: a line a pin, `PREFIX,CONTAINER` or
 * `PREFIX,CONTAINER,CONTAINER…`. Throws E_CONFIG that names file and line of what is wrong.
 */
export function withPinFiles(config: Config, folder: string): Config {
  if (config.services.every(({ pinFile }) => pinFile === undefined)) return config
  return { ...config, services: config.services.map((service) => withPinFile(service, folder)) }
}

function withPinFile(service: ServiceConfig, folder: string): ServiceConfig {
  if (service.pinFile === undefined) return service
  const { name } = service.pinFile
  const path = pathFrom(folder, name)
  const names = new Set(service.containers.map((container) => container.name))
  // Those of a source come and go.
  const isContainer = (container: string) => service.source !== undefined || names.has(container)
  return { ...service, pinFile: { name, ...readPins(readText(path, 'pinsFrom'), path, isContainer) } }
}

export function readPins(
  text: string,
  path: string,
  isContainer: (name: string) => boolean,
): Omit<PinFile, 'name'> {
  const table = new PrefixTable()
  const numbers = new Map<string, number>()
  readRows(text, path, (row) => addRow(row, table, numbers, isContainer))
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
  const prefix = parseSource(source)
  if (typeof prefix === 'string') return prefix
  const known = numbers.get(set)
  if (known === undefined) {
    const unknown = set.split(',').find((name) => name === '' || !isContainer(name))
    if (unknown !== undefined)
      return `${quoteValue(unknown)} is no container of the service; expected PREFIX,CONTAINER`
    if (numbers.size === MOST_SETS) return `another set of containers; expected at most ${MOST_SETS} of them`
    numbers.set(set, numbers.size)
  }
  return table.add(prefix, known ?? numbers.size - 1) ? undefined : `${source} given twice`
}

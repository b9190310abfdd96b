import { ALLOWED, DENIED, PrefixTable } from '../prefix-table.ts'
import type { Config, ServiceConfig, SourceRules } from './config.ts'
import { parseSource, pathFrom, readRows, readText } from './prefix-file.ts'

/**
 * The config with the files read that its services' `sources` name, a line a prefix. Throws E_CONFIG that names file and line
 * of what is wrong.
 */
export function withSourceFiles(config: Config, folder: string): Config {
  if (config.services.every(({ sources }) => sources === undefined || !hasFiles(sources))) return config
  return { ...config, services: config.services.map((service) => withFiles(service, folder)) }
}

const hasFiles = ({ allowFrom, denyFrom }: SourceRules): boolean =>
  allowFrom !== undefined || denyFrom !== undefined

function withFiles(service: ServiceConfig, folder: string): ServiceConfig {
  const { sources } = service
  if (sources === undefined || !hasFiles(sources)) return service
  const table = new PrefixTable()
  table.addAll(sources.table, (number) => number)
  const add = (name: string | undefined, key: string, number: number) => {
    if (name !== undefined) addFile(pathFrom(folder, name), `sources.${key}`, number, table)
  }
  add(sources.allowFrom, 'allowFrom', ALLOWED)
  add(sources.denyFrom, 'denyFrom', DENIED)
  return { ...service, sources: { ...sources, table } }
}

function addFile(path: string, key: string, number: number, table: PrefixTable): void {
  readRows(readText(path, key), path, (row) => {
    const prefix = parseSource(row)
    if (typeof prefix === 'string') return prefix
    return table.add(prefix, number) ? undefined : `${row} given twice`
  })
}

import { deserialize, serialize } from 'node:v8'
import { PrefixTable } from '../prefix-table.ts'
import type { Config, ServiceConfig } from './config.ts'

/** A config as bytes for the same version of this program, in the same version of Node: tables of prefixes as they are packed. */
export const packConfig = (config: Config): Uint8Array =>
  serialize({ ...config, services: config.services.map((service) => withTables(service, packed)) })

/** `bytes` are what packConfig made. */
export function unpackConfig(bytes: Uint8Array): Config {
  const { services, ...rest } = deserialize(bytes) as Packed
  return { ...rest, services: services.map((service) => withTables(service, unpacked) as ServiceConfig) }
}

interface Packed extends Omit<Config, 'services'> {
  readonly services: readonly Tabled<PackedTable>[]
}

interface PackedTable {
  readonly rows4: Uint8Array
  readonly rows6: Uint8Array
}

const packed = (table: PrefixTable): PackedTable => ({ rows4: table.rows(4), rows6: table.rows(6) })

/** Copies: the rows are parts of all that was read. */
const unpacked = ({ rows4, rows6 }: PackedTable): PrefixTable => new PrefixTable(rows4.slice(), rows6.slice())

/** Of a service, what has a table. */
type Tabled<Table> = { readonly [key in 'pinFile' | 'sources']?: { readonly table: Table } | undefined }

function withTables<From, To>(service: Tabled<From>, change: (table: From) => To): Tabled<To> {
  const { pinFile, sources } = service
  return {
    ...(service as object),
    ...(pinFile && { pinFile: { ...pinFile, table: change(pinFile.table) } }),
    ...(sources && { sources: { ...sources, table: change(sources.table) } }),
  }
}

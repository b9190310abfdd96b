import type { Command } from 'commander'
import { OnehopError } from '../errors.ts'

/** What a command asks in the place of a running daemon. */
export interface FileOptions {
  readonly config?: string
  readonly table?: string
}

export const addFileOptions = (command: Command): Command =>
  command
    .option('-c, --config <file>', 'asked in the place of a running daemon: the config file')
    .option('--table <file>', 'with --config: the table, as it was exported')

export function requireBoth({ config, table }: FileOptions): void {
  if (config === undefined && table !== undefined)
    throw new OnehopError('E_USAGE', `--table ${table} without --config; expected both, or a daemon`)
}

import { readFileSync } from 'node:fs'
import { type Command, outputOf, tryCommand } from './command.ts'

export type Table = 'filter' | 'raw'

/** The legacy programs whose table exists in this network namespace: to list a table is to create it. */
export function legacyPrograms(table: Table = 'filter'): readonly string[] {
  const has = (path: string) => {
    try {
      return readFileSync(path, 'utf8').split('\n').includes(table)
    } catch {
      return false
    }
  }
  return [
    ...(has('/proc/self/net/ip_tables_names') ? ['iptables-legacy'] : []),
    ...(has('/proc/self/net/ip6_tables_names') ? ['ip6tables-legacy'] : []),
  ]
}

/** A chain, line by line as `-S` prints it; undefined when there is no such chain. */
export async function readChain(
  program: string,
  chain: string,
  table: Table = 'filter',
): Promise<readonly string[] | undefined> {
  const command: Command = { argv: [program, '-w', '5', '-t', table, '-S', chain] }
  const result = await tryCommand(command)
  if (/No chain|does not exist/.test(result.stderr)) return undefined
  return outputOf(command, result).trimEnd().split('\n')
}

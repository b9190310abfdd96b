import { outputOf, runCommand, tryCommand } from './command.ts'

/** One object of nft's JSON (libnftables-json(5)): `{chain: {…}}`, `{set: {…}}`, `{rule: {…}}` … */
export interface NftObject {
  readonly table?: { readonly family: string; readonly name: string }
  readonly chain?: NftChain
  readonly set?: NftSet
  readonly rule?: { readonly chain: string; readonly comment?: string }
}

export interface NftSet {
  readonly name: string
  readonly elem?: readonly unknown[]
}

export interface NftChain {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook?: string
  readonly prio?: number
  readonly policy?: string
}

/** What an inet table holds; undefined when it is not there. */
export async function readTable(name: string): Promise<readonly NftObject[] | undefined> {
  const command = { argv: ['nft', '-j', 'list', 'table', 'inet', name] } as const
  const result = await tryCommand(command)
  if (result.stderr.includes('No such file or directory')) return undefined
  return parse(outputOf(command, result))
}

/** Every chain of every table; what nft cannot read (not root) throws. */
export async function readChains(): Promise<readonly NftChain[]> {
  const objects = parse(await runCommand({ argv: ['nft', '-j', 'list', 'chains'] }))
  return objects.flatMap(({ chain }) => (chain === undefined ? [] : [chain]))
}

const parse = (text: string): readonly NftObject[] =>
  (JSON.parse(text) as { readonly nftables: readonly NftObject[] }).nftables

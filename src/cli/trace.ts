import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { printStories } from './watch-lines.ts'
import { addFilterOptions, type FilterOptions, queryOf } from './watch-options.ts'

const EXAMPLES = `
Examples:
  onehop trace 198.51.100.7
  onehop trace 2001:db8:1::/48 --service web --json

A line a packet, both ways: when it was read, what was decided and why, when that was and when it was written. The
source's packets take the slow path meanwhile.`

export function addTraceCommand(program: Command, context: CliContext): void {
  addFilterOptions(
    program
      .command('trace')
      .description("show a client's packets as they pass the running daemon")
      .argument('<source>', 'an address or a prefix')
      .option('--json', 'as JSON, an object a line'),
  )
    .addHelpText('after', EXAMPLES)
    .action((source: string, options: FilterOptions & { readonly json?: true }) =>
      printStories(options, queryOf({ ...options, source }, { snap: '128' }), context),
    )
}

import type { Command } from 'commander'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, print } from './context.ts'
import { formatSections } from './sections.ts'

interface StatusOptions extends DaemonOptions {
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop status
  onehop status --tun onehop1 --json`

export function addStatusCommand(program: Command, context: CliContext): void {
  addDaemonOptions(
    program
      .command('status')
      .description('show what the running daemon serves and has counted')
      .option('--json', 'as JSON'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (options: StatusOptions) => {
      const status = await askDaemon(options, '/v1/status')
      const text = options.json ? `${JSON.stringify(status, null, 2)}\n` : formatSections(status)
      await print(context.stdout, text)
    })
}

import { type Command, Option } from 'commander'
import type { Drops } from '../api/drops.ts'
import { REFUSAL_REASONS } from '../pipeline/refusals.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { CaptureOutput, refuseTerminal } from './capture/capture-output.ts'
import { type CliContext, print } from './context.ts'
import { dropsFile } from './drops/file.ts'
import { formatDrops } from './drops/text.ts'

interface DropsOptions extends DaemonOptions {
  readonly reason?: string
  readonly hex?: true
  readonly json?: true
  readonly write?: string
}

const EXAMPLES = `
Examples:
  onehop drops
  onehop drops --reason no-container --hex
  onehop drops -w - | tshark -r - -V

Of each reason the last packet is kept, its first 256 bytes. "answer" before a reason: the client was told, by a TCP reset or an
ICMP error.`

export function addDropsCommand(program: Command, context: CliContext): void {
  addDaemonOptions(
    program
      .command('drops')
      .description('show why packets were dropped or refused, what to do, and the last packet of each reason')
      .addOption(new Option('--reason <reason>', 'only this one').choices(REFUSAL_REASONS))
      .option('--hex', 'with the bytes of each packet')
      .option('--json', 'as JSON')
      .option(
        '-w, --write <file>',
        'write the packets to a pcapng file, readable by its owner only; - for standard output',
      ),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (options: DropsOptions) => {
      const query = options.reason === undefined ? '' : `?reason=${options.reason}`
      const drops = (await askDaemon(options, `/v1/drops${query}`)) as Drops
      if (options.write !== undefined) return write(options.write, drops, context)
      const text = options.json
        ? `${JSON.stringify(drops, null, 2)}\n`
        : formatDrops(drops, Date.now(), options.hex === true)
      return print(context.stdout, text)
    })
}

async function write(path: string, drops: Drops, { stdout }: CliContext): Promise<void> {
  refuseTerminal(path, stdout)
  const output = CaptureOutput.open(path, stdout)
  try {
    await output.write(dropsFile(drops))
  } finally {
    output.close()
  }
}

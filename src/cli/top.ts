import { setTimeout as sleep } from 'node:timers/promises'
import type { WriteStream } from 'node:tty'
import { type Command, Option } from 'commander'
import { type Rates, SORTS, type Sort } from '../api/rates.ts'
import { OnehopError } from '../errors.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, isTerminal, paintFor, print } from './context.ts'
import { type AskRates, showLive } from './top/live.ts'
import { Terminal } from './top/terminal.ts'
import { frameOf } from './top/view.ts'

interface TopOptions extends DaemonOptions {
  readonly sort: Sort
  readonly once?: true
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop top
  onehop top --sort bytes
  onehop top --once | head -20
  onehop top --once --json

Keys: q quits, Tab shows one section after the other, left and right choose the order, p pauses, ? helps. --once takes
some seconds: sources are hot by what they send between two walks of the table.`

export function addTopCommand(program: Command, context: CliContext): void {
  addDaemonOptions(program.command('top').description('watch services, containers, hot sources and verdicts'))
    .addOption(new Option('--sort <order>', 'of services and containers').choices(SORTS).default('packets'))
    .option('--once', 'print it once, for scripts')
    .option('--json', 'with --once: as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: TopOptions) => {
      const ask: AskRates = async (sort, limit) =>
        (await askDaemon(options, `/v1/rates?sort=${sort}&limit=${limit}`)) as Rates
      if (options.json && !options.once)
        throw new OnehopError('E_USAGE', '--json without --once; expected both')
      if (options.once) await printOnce(ask, options, context)
      else context.exitCode = await showLive(openTerminal(context), ask, options.sort, paintFor(context))
    })
}

const SHOWN_ONCE = 50
const PERIOD_MS = 1_000
const WIDTH = 80

async function printOnce(ask: AskRates, { sort, json }: TopOptions, context: CliContext): Promise<void> {
  const rates = await measured(ask, sort)
  const look = { sort, section: 'all', isPaused: false, isHelp: false } as const
  const columns = (context.stdout as Partial<WriteStream>).columns || Number(context.env.COLUMNS) || WIDTH
  const paint = paintFor(context)
  const lines = frameOf(rates, look, columns).map(({ text, style }) => paint(text, style).trimEnd())
  await print(context.stdout, json ? `${JSON.stringify(rates, null, 2)}\n` : `${lines.join('\n')}\n`)
}

/** As soon as the daemon knows its hot sources. */
async function measured(ask: AskRates, sort: Sort): Promise<Rates> {
  for (;;) {
    const rates = await ask(sort, SHOWN_ONCE)
    if (rates.sources.isMeasured) return rates
    await sleep(PERIOD_MS)
  }
}

function openTerminal({ stdout }: CliContext): Terminal {
  if (!process.stdin.isTTY || !isTerminal(stdout))
    throw new OnehopError('E_USAGE', 'no terminal to show it on; expected one, or --once')
  return new Terminal(process.stdin, stdout as WriteStream)
}

import type { Command } from 'commander'
import { parseDurationUs } from '../config/duration.ts'
import { quoteValue } from '../config/issue.ts'
import { OnehopError } from '../errors.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, print } from './context.ts'
import { formatSections } from './sections.ts'

interface ListOptions extends DaemonOptions {
  readonly json?: true
}

interface DrainOptions extends ListOptions {
  readonly deadline?: string
}

const EXAMPLES = `
Examples:
  onehop containers list --json
  onehop containers drain web-1 --deadline 5m
  onehop containers undrain web-1
  onehop containers weight web-2 10

A draining container keeps the clients it has and gets no new ones; after the deadline it is down, and they go
elsewhere. What is said here holds in all services of the container and across reloads, until a restart.`

export function addContainersCommand(program: Command, context: CliContext): void {
  const containers = program
    .command('containers')
    .description('show the container list of the running daemon, or change how containers stand in it')
    .addHelpText('after', EXAMPLES)
  const add = (usage: string, description: string) =>
    addDaemonOptions(containers.command(usage).description(description).option('--json', 'as JSON'))
  const ask = (options: ListOptions, action?: string, body?: unknown) =>
    show(options, context, action === undefined ? '' : `/${action}`, body)

  add('list', 'how each container stands, and why').action((options: ListOptions) => ask(options))
  add('drain <name...>', 'send new clients elsewhere, keep the known ones')
    .option('--deadline <time>', 'when it goes down for the known ones too: 30s, 5m')
    .action((names: string[], options: DrainOptions) =>
      ask(options, 'drain', { names, deadlineMs: readDeadline(options.deadline) }),
    )
  add('undrain <name...>', 'take back drain').action((names: string[], options: ListOptions) =>
    ask(options, 'undrain', { names }),
  )
  add('weight <name> <weight>', 'its share of new clients, 0 to 256').action(
    (name: string, weight: string, options: ListOptions) =>
      ask(options, 'weight', { names: [name], weight: readWeight(weight) }),
  )
}

/** Every one of them answers with the list as it stands then. */
async function show(
  options: ListOptions,
  { stdout }: CliContext,
  path: string,
  body: unknown,
): Promise<void> {
  const containers = await askDaemon(options, `/v1/containers${path}`, body)
  await print(
    stdout,
    options.json ? `${JSON.stringify(containers, null, 2)}\n` : formatSections({ containers }),
  )
}

/** Its bounds are the daemon's to check. */
function readDeadline(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const us = parseDurationUs(text)
  if (us === undefined)
    throw new OnehopError('E_USAGE', `--deadline ${quoteValue(text)}; expected a time such as 30s or 5m`)
  return us / 1000
}

function readWeight(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text))
    throw new OnehopError('E_USAGE', `weight ${quoteValue(text)}; expected a whole number from 0 to 256`)
  return Number(text)
}

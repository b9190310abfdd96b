import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { EVENT_TYPES } from '../events/event.ts'
import { addDaemonOptions, type DaemonOptions, openDaemonStream } from './ask.ts'
import { type CliContext, offer, print } from './context.ts'
import { readEvents } from './events/reading.ts'
import { formatEvent } from './events/text.ts'
import { untilInterrupted } from './watch-options.ts'

interface EventsOptions extends DaemonOptions {
  readonly type?: string
  readonly service?: string
  readonly source?: string
  readonly since?: string
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop events
  onehop events --type container,service
  onehop events --source 198.51.100.7 --json

A line an event, until Ctrl-C; when the daemon ends, it is waited for. Many changes of the table at once are told by their
number, which none that --source names are while there are at most 100 of them a second. --since is the id of an event that
--json printed: those after it come first, or "gap" where the daemon no longer has them.`

export function addEventsCommand(program: Command, context: CliContext): void {
  addDaemonOptions(
    program.command('events').description('tell what happens in the running daemon, as it happens'),
  )
    .option('--type <types>', `only ${EVENT_TYPES.join(', ')}: one, or several with commas between them`)
    .option('--service <name>', 'only what concerns this service')
    .option('--source <prefix>', 'only what concerns these clients: an address or a prefix')
    .option('--since <id>', 'begin after this event')
    .option('--json', 'as JSON, an event a line')
    .addHelpText('after', EXAMPLES)
    .action((options: EventsOptions) => printEvents(options, context))
}

const RETRY_MS = 1_000

/** The first time nobody may be missing; later the daemon may only be starting anew. */
async function printEvents(options: EventsOptions, context: CliContext): Promise<void> {
  const interrupted = untilInterrupted()
  const { signal } = interrupted
  const reading = { since: options.since }
  try {
    let isRead = await printOnce(options, reading, context, signal)
    while (isRead && !signal.aborted) {
      await sleep(RETRY_MS, undefined, { signal })
      isRead = await printOnce(options, reading, context, signal).catch(ignoreAbsence)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    interrupted.close()
  }
}

function ignoreAbsence(error: Error & { readonly code?: string }): true {
  if (error.code !== 'E_DAEMON') throw error
  return true
}

/** Until the stream ends; false when nobody reads any more. What was printed last is where the next one begins. */
async function printOnce(
  options: EventsOptions,
  reading: { since: string | undefined },
  { stdout, stderr }: CliContext,
  signal: AbortSignal,
): Promise<boolean> {
  const stream = await openDaemonStream(options, `/v1/events?${queryOf(options, reading.since)}`, signal)
  await print(stderr, 'listening; Ctrl-C ends it\n')
  for await (const { id, data } of readEvents(stream)) {
    if (!(await offer(stdout, options.json ? `${data}\n` : `${formatEvent(JSON.parse(data))}\n`)))
      return false
    reading.since = id ?? reading.since
  }
  if (!signal.aborted) await print(stderr, 'the daemon has ended the stream; waiting for it\n')
  return true
}

function queryOf({ type, service, source }: EventsOptions, since: string | undefined): string {
  const given = Object.entries({ type, service, source, since }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  )
  return new URLSearchParams(given).toString()
}

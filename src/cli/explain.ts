import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Address } from '../address.ts'
import { parseAddress } from '../config/address.ts'
import { quoteValue } from '../config/issue.ts'
import { readHistory } from '../decisions/files.ts'
import { explainPast, type PastExplanation } from '../decisions/past.ts'
import { OnehopError } from '../errors.ts'
import { explain, type PortAsked } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, paintFor, print } from './context.ts'
import { readMoment } from './explain/moment.ts'
import { offlineSituation } from './explain/offline.ts'
import { formatPast } from './explain/past-text.ts'
import { formatExplanation } from './explain/text.ts'
import { addFileOptions, type FileOptions, requireBoth } from './file-options.ts'

interface ExplainOptions extends DaemonOptions, FileOptions {
  readonly service?: string
  readonly port?: string
  readonly json?: true
  readonly at?: string
  readonly store?: string
}

const EXAMPLES = `
Examples:
  onehop explain 198.51.100.7
  onehop explain 2001:db8::7 --service web --json
  onehop explain 198.51.100.7 --port 443/tcp
  onehop explain 198.51.100.7 --config onehop.yaml --table export.csv
  onehop explain 198.51.100.7 --at 14:03
  onehop explain 198.51.100.7 --at -15m --service web --json
  onehop explain 198.51.100.7 --at 2026-11-25T14:03:05Z --store /var/lib/onehop/onehop0.store

Says where the source's next packet goes, and why. It changes nothing: no turn is taken, no entry is touched. With --config
no daemon is asked, and all containers are taken to be ready; --table is what onehop table export has written.

With --at it says who served the client then, from the log of decisions: which container, since when and until when, why,
and how the container stood. With --store no daemon is asked: the log lies beside the store, in <store>.decisions.`

export function addExplainCommand(program: Command, context: CliContext): void {
  const command = program
    .command('explain')
    .description('say why a client goes where it goes')
    .argument('<source>', "the client's address")
  addFileOptions(addDaemonOptions(command))
    .option('--service <name>', 'in this service only')
    .option('--port <port>', 'at this port only: 80, 80/tcp or 53/udp')
    .option('--at <time>', 'who served it then: 14:03, 14:03:05, -15m, 2026-11-25T14:03:05Z')
    .option('--store <path>', "with --at: from the log beside this store, instead of a running daemon's")
    .option('--json', 'as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: ExplainOptions) => {
      if (options.at !== undefined || options.store !== undefined) {
        const past = await askPast(source, options)
        await print(context.stdout, options.json ? `${JSON.stringify(past, null, 2)}\n` : formatPast(past))
        return
      }
      const explanation = await ask(source, options, context)
      const text = options.json
        ? `${JSON.stringify(explanation, null, 2)}\n`
        : formatExplanation(explanation, paintFor(context))
      await print(context.stdout, text)
    })
}

async function ask(source: string, options: ExplainOptions, context: CliContext): Promise<Explanation> {
  const { service, config, table } = options
  const port = readPort(options.port)
  requireBoth(options)
  if (config === undefined)
    return (await askDaemon(options, '/v1/explain', { source, service, ...port })) as Explanation
  return explain(
    { source: readSource(source), service, port },
    await offlineSituation(config, table, context),
  )
}

async function askPast(source: string, options: ExplainOptions): Promise<PastExplanation> {
  const { at, store, service, port, config, table } = options
  if (at === undefined) throw new OnehopError('E_USAGE', '--store without --at; expected both')
  const other = Object.entries({ port, config, table }).find(([, value]) => value !== undefined)
  if (other !== undefined)
    throw new OnehopError('E_USAGE', `--at with --${other[0]}; expected --service or --store beside it`)
  const atMs = readMoment(at, Date.now())
  if (store === undefined) {
    const asked = { source, at: new Date(atMs).toISOString(), service }
    return (await askDaemon(options, '/v1/explain/past', asked, PATIENCE_MS)) as PastExplanation
  }
  const question = { source: readSource(source), atMs, service }
  return explainPast(question, await readHistory(`${resolve(store)}.decisions`, question), undefined)
}

/** A large log takes the daemon seconds to read. */
const PATIENCE_MS = 60_000

function readSource(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined)
    throw new OnehopError('E_USAGE', `${quoteValue(text)}: expected an IPv4 or IPv6 address`)
  return address
}

function readPort(text: string | undefined): PortAsked | undefined {
  if (text === undefined) return undefined
  const [, port, protocol] = /^([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? []
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new OnehopError('E_USAGE', `--port ${quoteValue(text)}; expected 80, 80/tcp or 53/udp`)
  return { port: Number(port), protocol: protocol as PortAsked['protocol'] }
}

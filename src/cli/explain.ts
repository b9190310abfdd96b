import type { Command } from 'commander'
import { parseAddress } from '../config/address.ts'
import { quoteValue } from '../config/issue.ts'
import { OnehopError } from '../errors.ts'
import { explain, type PortAsked } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, paintFor, print } from './context.ts'
import { offlineSituation } from './explain/offline.ts'
import { formatExplanation } from './explain/text.ts'

interface ExplainOptions extends DaemonOptions {
  readonly service?: string
  readonly port?: string
  readonly json?: true
  readonly config?: string
  readonly table?: string
}

const EXAMPLES = `
Examples:
  onehop explain 198.51.100.7
  onehop explain 2001:db8::7 --service web --json
  onehop explain 198.51.100.7 --port 443/tcp
  onehop explain 198.51.100.7 --config onehop.yaml --table export.csv

Says where the source's next packet goes, and why. It changes nothing: no turn is taken, no entry is touched. With --config
no daemon is asked, and all containers are taken to be ready; --table is what onehop table export has written.`

export function addExplainCommand(program: Command, context: CliContext): void {
  addDaemonOptions(
    program
      .command('explain')
      .description('say why a client goes where it goes')
      .argument('<source>', "the client's address"),
  )
    .option('--service <name>', 'in this service only')
    .option('--port <port>', 'at this port only: 80, 80/tcp or 53/udp')
    .option('-c, --config <file>', 'from a config file instead of a running daemon')
    .option('--table <file>', 'with --config: the table, as it was exported')
    .option('--json', 'as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: ExplainOptions) => {
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
  if (config === undefined && table !== undefined)
    throw new OnehopError('E_USAGE', `--table ${table} without --config; expected both, or a daemon`)
  if (config === undefined)
    return (await askDaemon(options, '/v1/explain', { source, service, ...port })) as Explanation
  const address = parseAddress(source)
  if (address === undefined)
    throw new OnehopError('E_USAGE', `${quoteValue(source)}: expected an IPv4 or IPv6 address`)
  return explain({ source: address, service, port }, await offlineSituation(config, table, context))
}

function readPort(text: string | undefined): PortAsked | undefined {
  if (text === undefined) return undefined
  const [, port, protocol] = /^([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? []
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new OnehopError('E_USAGE', `--port ${quoteValue(text)}; expected 80, 80/tcp or 53/udp`)
  return { port: Number(port), protocol: protocol as PortAsked['protocol'] }
}

import type { Command } from 'commander'
import { isAddress4 } from '../address.ts'
import { parseAddress } from '../config/address.ts'
import { quoteValue } from '../config/issue.ts'
import { OnehopError } from '../errors.ts'
import type { Plan } from '../plan/plan.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { collect } from './config-options.ts'
import type { CliContext } from './context.ts'
import { addFileOptions, type FileOptions, requireBoth } from './file-options.ts'
import { offlineWhatIf } from './plan/offline.ts'
import {
  addPlanOptions,
  PATIENCE_MS,
  type PlanOptions,
  printPlan,
  readLimit,
  readTop,
} from './plan/report.ts'

interface Options extends DaemonOptions, PlanOptions, FileOptions {
  readonly down?: readonly string[]
  readonly drain?: readonly string[]
  readonly up?: readonly string[]
  readonly weight?: readonly string[]
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

const EXAMPLES = `
Examples:
  onehop what-if --down web-2
  onehop what-if --drain web-1 --weight web-2=10 --max-moved 5%
  onehop what-if --add web=web-4=10.77.0.14 --add 'web=web-5=10.77.0.15:8080'
  onehop what-if --down web-2 --config onehop.yaml --table table.csv

The same report as onehop plan, for containers that stand otherwise than they do. Changes nothing.`

export function addWhatIfCommand(program: Command, context: CliContext): void {
  const command = program
    .command('what-if')
    .description('say which clients would move if containers went down, drained, came or left')
    .option('--down <name>', 'were this container down; repeatable', collect)
    .option('--drain <name>', 'were it draining; repeatable', collect)
    .option('--up <name>', 'were it ready again; repeatable', collect)
    .option('--weight <name=weight>', 'had it another share of new clients, 0 to 256; repeatable', collect)
    .option('--add <service=name=address>', 'had the service one more; repeatable', collect)
    .option('--remove <name>', 'were it gone; repeatable', collect)
  addPlanOptions(addFileOptions(addDaemonOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const limit = readLimit(options.maxMoved)
      await printPlan(await ask(options, context), options, limit, context)
    })
}

async function ask(options: Options, context: CliContext): Promise<Plan> {
  requireBoth(options)
  const { down, drain, up, remove } = options
  const [weights, add] = [options.weight?.map(readWeight), options.add?.map(readAdded)]
  const body = { down, drain, up, weights, add, remove, top: readTop(options) }
  if (options.config !== undefined) return await offlineWhatIf(body, options.config, options, context)
  return (await askDaemon(options, '/v1/what-if', body, PATIENCE_MS)) as Plan
}

function readWeight(text: string) {
  const [, container, digits] = /^(.+)=([0-9]{1,3})$/.exec(text) ?? []
  if (container === undefined || Number(digits) > 256)
    throw new OnehopError('E_USAGE', `--weight ${quoteValue(text)}; expected NAME=WEIGHT, from 0 to 256`)
  return { container, weight: Number(digits) }
}

/** Two of the same name are one container with both addresses. */
function readAdded(text: string) {
  const [, service, name, bare6, bracketed, plain, port] =
    /^([^=]+)=([^=]+)=(?:([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)|(?:\[([^\]]*)\]|([^:[\]]+))(?::([0-9]{1,5}))?)$/.exec(
      text,
    ) ?? []
  const addressText = bare6 ?? bracketed ?? plain ?? ''
  const address = parseAddress(addressText)
  if (service === undefined || name === undefined || address === undefined)
    throw new OnehopError(
      'E_USAGE',
      `--add ${quoteValue(text)}; expected SERVICE=NAME=ADDRESS, with :PORT where the service has one port`,
    )
  const family = isAddress4(address) ? 'address' : 'address6'
  return {
    service,
    container: { name, [family]: addressText, ...(port === undefined ? {} : { port: Number(port) }) },
  }
}

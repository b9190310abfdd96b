import type { Command } from 'commander'
import type { Plan } from '../plan/plan.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import type { CliContext } from './context.ts'
import { addFileOptions, type FileOptions, requireBoth } from './file-options.ts'
import { offlinePlan } from './plan/offline.ts'
import {
  addPlanOptions,
  bodyOf,
  PATIENCE_MS,
  type PlanOptions,
  printPlan,
  queryOf,
  readLimit,
} from './plan/report.ts'

interface Options extends DaemonOptions, PlanOptions, FileOptions {}

const EXAMPLES = `
Examples:
  onehop plan new.yaml
  onehop plan new.yaml --max-moved 5% && onehop apply new.yaml --max-moved 5%
  onehop plan new.yaml --config onehop.yaml --table table.csv --json

Changes nothing. A client that asks more than one port is taken to ask all of them, and one that is known by a prefix is
asked for as the prefix's first address. With --config no daemon is asked, and all containers are taken to be ready;
--table is what onehop table export has written. Exits with 1 when more clients would move than --max-moved.`

export function addPlanCommand(program: Command, context: CliContext): void {
  const command = program
    .command('plan')
    .description('say what another config would change, and which clients would move')
    .argument('<new-file>', 'the config that would be applied')
  addPlanOptions(addFileOptions(addDaemonOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, options: Options) => {
      const limit = readLimit(options.maxMoved)
      await printPlan(await ask(file, options, context), options, limit, context)
    })
}

async function ask(file: string, options: Options, context: CliContext): Promise<Plan> {
  requireBoth(options)
  if (options.config !== undefined) return await offlinePlan(file, options.config, options, context)
  const path = `/v1/plan?${queryOf(file, options)}`
  return (await askDaemon(options, path, bodyOf(file), PATIENCE_MS)) as Plan
}

import { realpathSync } from 'node:fs'
import type { Command } from 'commander'
import type { Applied } from '../api/plan.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, print } from './context.ts'
import {
  addPlanOptions,
  bodyOf,
  PATIENCE_MS,
  type PlanOptions,
  printPlan,
  queryOf,
  readLimit,
} from './plan/report.ts'

interface Options extends DaemonOptions, PlanOptions {}

const EXAMPLES = `
Examples:
  onehop apply /etc/onehop.yaml
  onehop apply new.yaml --max-moved 5%
  onehop apply new.yaml --max-moved 0 --json

Puts the file in force, all of it or nothing, as a reload does, and prints the plan that came true. It writes no file: the
next reload or restart reads the daemon's own one again. Files that the config names are the daemon's to read, beside
<new-file>. Exits with 1, and nothing is changed, when more clients would move than --max-moved.`

export function addApplyCommand(program: Command, context: CliContext): void {
  const command = program
    .command('apply')
    .description('put another config in force on the running daemon, unless too many clients would move')
    .argument('<new-file>', 'the config to apply')
  addPlanOptions(addDaemonOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, options: Options) => {
      const limit = readLimit(options.maxMoved)
      const { maxMoved } = options
      const bound = maxMoved === undefined ? '' : `&${new URLSearchParams({ maxMoved })}`
      const path = `/v1/apply?${queryOf(file, options)}${bound}`
      const answer = (await askDaemon(options, path, bodyOf(file), PATIENCE_MS)) as Applied
      await printPlan(answer.plan, options, limit, context)
      await print(context.stderr, `${sayApplied(answer, file)}\n`)
      if (!answer.applied) context.exitCode = 1
    })
}

function sayApplied({ applied, file: own }: Applied, file: string): string {
  if (!applied) return 'onehop: nothing was applied'
  if (own === undefined) return 'onehop: applied, until the daemon is started anew'
  return isSame(file, own) ? 'onehop: applied' : `onehop: applied, until a reload or restart reads ${own}`
}

/** The daemon may be on another host. */
function isSame(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b)
  } catch {
    return false
  }
}

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { quoteValue } from '../../config/issue.ts'
import { readConfigFile } from '../../config/load.ts'
import { OnehopError } from '../../errors.ts'
import { isWithin, LIMIT, type Limit, parseLimit } from '../../plan/limit.ts'
import { MOST_MOVERS } from '../../plan/make.ts'
import type { Plan } from '../../plan/plan.ts'
import { type CliContext, paintFor, print } from '../context.ts'
import { formatPlan, share } from './text.ts'

export interface PlanOptions {
  readonly maxMoved?: string
  readonly top?: string
  readonly json?: true
}

/** A large table takes a second or two, sources that are asked for the first time five. */
export const PATIENCE_MS = 120_000

export const addPlanOptions = (command: Command): Command =>
  command
    .option(
      '--max-moved <limit>',
      'how many known clients may move: 100, or 5% of them; exit with 1 if more would',
    )
    .option(
      '--top <n>',
      `how many moving clients to name, those that sent most: up to ${MOST_MOVERS} (default: 20)`,
    )
    .option('--json', 'as JSON')

export function readLimit(text: string | undefined): Limit | undefined {
  if (text === undefined) return undefined
  const limit = parseLimit(text)
  if (limit === undefined)
    throw new OnehopError('E_USAGE', `--max-moved ${quoteValue(text)}; expected ${LIMIT}`)
  return limit
}

export function readTop({ top = '20' }: PlanOptions): number {
  if (!/^[0-9]{1,5}$/.test(top) || Number(top) > MOST_MOVERS)
    throw new OnehopError(
      'E_USAGE',
      `--top ${quoteValue(top)}; expected a whole number from 0 to ${MOST_MOVERS}`,
    )
  return Number(top)
}

/** The config itself is sent: the daemon need not be able to read it. */
export const bodyOf = (file: string): Uint8Array => readConfigFile(file)

export function queryOf(file: string, options: PlanOptions): string {
  return new URLSearchParams({ file: resolve(file), top: String(readTop(options)) }).toString()
}

/** And says whether more move than may. */
export async function printPlan(
  plan: Plan,
  { json, maxMoved }: PlanOptions,
  limit: Limit | undefined,
  context: CliContext,
): Promise<void> {
  await print(
    context.stdout,
    json ? `${JSON.stringify(plan, null, 2)}\n` : formatPlan(plan, paintFor(context)),
  )
  if (isWithin(plan.clients, limit)) return
  context.exitCode = 1
  const { known, moved } = plan.clients
  const found = `${moved} of ${known} known clients (${share(moved, known)}) would move`
  await print(context.stderr, `onehop: ${found}, more than --max-moved ${maxMoved}\n`)
}

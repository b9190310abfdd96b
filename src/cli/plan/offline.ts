import { setImmediate as breathe } from 'node:timers/promises'
import { Compiler } from '../../compile.ts'
import type { Config } from '../../config/config.ts'
import { describeIssue } from '../../config/faults.ts'
import { formatPath } from '../../config/issue.ts'
import { loadConfig } from '../../config/load.ts'
import { containerSchema } from '../../config/schema/service.ts'
import { refuseFixed } from '../../daemon/fixed.ts'
import type { Engine, TableSizes } from '../../dataplane/dataplane.ts'
import { OnehopError } from '../../errors.ts'
import { Identities } from '../../pipeline/identities.ts'
import { makePlan } from '../../plan/make.ts'
import type { Plan } from '../../plan/plan.ts'
import { type Supposed, type Supposition, suppose } from '../../plan/suppose.ts'
import type { CliContext } from '../context.ts'
import type { FileOptions } from '../file-options.ts'
import { loadModule } from '../load-module.ts'
import { keyOf, noteKey } from '../offline-key.ts'
import { readSavedTable } from '../table/saved.ts'
import { type PlanOptions, readTop } from './report.ts'

type Options = PlanOptions & FileOptions

export async function offlinePlan(
  file: string,
  configPath: string,
  options: Options,
  context: CliContext,
): Promise<Plan> {
  const [config, next] = [loadConfig(configPath), loadConfig(file)]
  refuseFixed(config, next)
  return await compare(config, { config: next, conditions: new Map() }, options, context)
}

/** As the API reads it: `add` holds what a person wrote. */
type GivenSupposition = Omit<Supposition, 'add'> & {
  readonly add?: readonly { readonly service: string; readonly container: unknown }[] | undefined
}

export async function offlineWhatIf(
  { add, ...given }: GivenSupposition,
  configPath: string,
  options: Options,
  context: CliContext,
): Promise<Plan> {
  const config = loadConfig(configPath)
  const added = add?.map(({ service, container }) => ({ service, container: readContainer(container) }))
  return await compare(config, suppose(config, new Map(), { ...given, add: added }), options, context)
}

function readContainer(value: unknown) {
  const read = containerSchema.safeParse(value)
  if (read.success) return read.data
  const faults = read.error.issues.flatMap((issue) => describeIssue(issue, value))
  throw new OnehopError(
    'E_USAGE',
    faults.map(({ path, message }) => `--add: ${formatPath(path)}: ${message}`).join('\n'),
  )
}

/** By the native engine, for a table may have a million entries. */
async function compare(config: Config, next: Supposed, options: Options, context: CliContext): Promise<Plan> {
  if (config.key === undefined) await noteKey(context)
  const identities = new Identities()
  const compiler = new Compiler(identities, keyOf(config))
  const before = { config, snapshot: compiler.compile(config) }
  const { createNativeEngine } = await loadModule('../dataplane/native.ts')
  const engine = (createNativeEngine as (sizes: TableSizes) => Engine)(config.table)
  engine.publish(before.snapshot)
  const { rows, clock } = await readSavedTable(options.table, config, identities, context)
  const lacking = engine.put(rows, true)
  if (lacking > 0)
    throw new OnehopError(
      'E_INPUT',
      `${options.table}: ${lacking} entries more than the config's table.capacity; expected the table of that config`,
    )
  const after = { config: next.config, snapshot: compiler.compile(next.config, next.conditions) }
  return await makePlan(
    { before, after, engine, identities, clock, top: readTop(options), notes: notesOn(config, next.config) },
    breathe,
  )
}

const notesOn = (before: Config, after: Config): readonly string[] => {
  const services = [...before.services, ...after.services].filter(({ source }) => source !== undefined)
  return [...new Set(services.map(({ name }) => name))].map(
    (name) => `${name}: its containers are discovered, so a config alone has none of them`,
  )
}

import type { Command } from 'commander'
import { CONFIG_DEFAULTS } from '../config/defaults.ts'
import type { Addon } from '../dataplane/addon.ts'
import { OnehopError } from '../errors.ts'
import {
  bringUp,
  type NetworkReport,
  networkIntent,
  plannedCommands,
  plannedUndoing,
  showNetwork,
  takeDown,
} from '../network/network.ts'
import { addConfigOptions, type ConfigOptions } from './config-options.ts'
import { type CliContext, print } from './context.ts'
import { loadModule } from './load-module.ts'
import { addRunDirOption, isConfigGiven, type RunDirOptions } from './network-options.ts'
import { readConfig } from './read-config.ts'

interface UpOptions extends ConfigOptions, RunDirOptions {
  readonly dryRun?: true
}

interface DownOptions extends RunDirOptions {
  readonly tun: string
  readonly dryRun?: true
}

interface ShowOptions extends ConfigOptions, RunDirOptions {
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop routes up --config /etc/onehop.yaml --dry-run
  onehop routes up --config /etc/onehop.yaml
  onehop routes show --config /etc/onehop.yaml
  onehop routes down

onehop run does both by itself unless it is told --no-routes.`

const UP_EXAMPLES = `
Examples:
  onehop routes up --config /etc/onehop.yaml
  onehop routes up --bridge br0 --service 203.0.113.10:80/tcp --container web-1=10.77.0.11 --dry-run

Makes exactly what the config needs: run it again after a change, or after a crash. When it fails, everything
is as it was before.`

const DOWN_EXAMPLES = `
Examples:
  onehop routes down
  onehop routes down --tun onehop1 --dry-run

Leaves alone what onehop did not make, and what somebody else has changed since.`

const SHOW_EXAMPLES = `
Examples:
  onehop routes show
  onehop routes show --config /etc/onehop.yaml --json

With a config, also what is missing and what is too much; exits with 1 when there is any.`

export function addRoutesCommand(program: Command, context: CliContext): void {
  const routes = program
    .command('routes')
    .description('make, undo or show the TUN, routes, rules, sysctls and nft table')
    .addHelpText('after', EXAMPLES)
  addRunDirOption(addConfigOptions(routes.command('up').description('make what the config needs')))
    .option('--dry-run', 'print the exact commands instead of running them')
    .addHelpText('after', UP_EXAMPLES)
    .action((options: UpOptions) => up(options, context))
  addRunDirOption(routes.command('down').description('undo exactly what up did'))
    .option('--tun <name>', 'the TUN interface whose set-up goes', CONFIG_DEFAULTS.tun)
    .option('--dry-run', 'print the exact commands instead of running them')
    .addHelpText('after', DOWN_EXAMPLES)
    .action((options: DownOptions) => down(options, context))
  addRunDirOption(addConfigOptions(routes.command('show').description('show what stands')))
    .option('--json', 'as JSON')
    .addHelpText('after', SHOW_EXAMPLES)
    .action((options: ShowOptions) => show(options, context))
}

async function up(options: UpOptions, { stdout }: CliContext): Promise<void> {
  const intent = networkIntent(readConfig(options).config)
  if (options.dryRun) await printPlan(stdout, await plannedCommands(intent, options))
  else await bringUp(intent, options)
}

async function down(options: DownOptions, { stdout }: CliContext): Promise<void> {
  if (options.dryRun) await printPlan(stdout, await plannedUndoing(options.tun, options))
  else {
    await takeDown(options.tun, options)
    await clearFastPath(options)
  }
}

/** What a killed daemon left attached to interfaces. One that never ran here for want of the addon left nothing. */
async function clearFastPath({ tun, runDir }: DownOptions): Promise<void> {
  const { loadAddon } = await loadModule('../dataplane/addon.ts')
  const addon = tryLoad(loadAddon as () => Addon)
  addon?.clearFastPath(tun)
  const { clearHandover, unmountUnused } = (await loadModule('../handover/handover.ts')) as HandoverModule
  clearHandover({ runDir, tun })
  unmountUnused(runDir)
}

type HandoverModule = {
  clearHandover(whose: { readonly runDir: string; readonly tun: string }): void
  unmountUnused(runDir: string): void
}

function tryLoad(loadAddon: () => Addon): Addon | undefined {
  try {
    return loadAddon()
  } catch (error) {
    if (error instanceof OnehopError) return undefined
    throw error
  }
}

const printPlan = (stdout: CliContext['stdout'], commands: readonly string[]): Promise<void> =>
  print(stdout, commands.length === 0 ? '# nothing to do\n' : `${commands.join('\n')}\n`)

async function show(options: ShowOptions, context: CliContext): Promise<void> {
  const intent = isConfigGiven(options) ? networkIntent(readConfig(options).config) : undefined
  const tun = intent?.tun ?? options.tun ?? CONFIG_DEFAULTS.tun
  const report = await showNetwork(tun, options, intent)
  await print(context.stdout, options.json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
  if (report.parts.some(({ missing, surplus }) => missing.length + surplus.length > 0)) context.exitCode = 1
}

/** Of a long list only so many lines; --json has them all. */
const MOST_SHOWN = 20

function formatReport({ tun, numbers, parts }: NetworkReport): string {
  const { preference, table, mark, protocol } = numbers
  const head = `${tun}: rule preference ${preference}, table ${table}, mark ${mark}, protocol ${protocol}\n`
  return head + parts.map(formatPart).join('')
}

function formatPart({ part, standing, missing, surplus }: NetworkReport['parts'][number]): string {
  const lines = [
    ...sample(standing).map((item) => `  ${item}`),
    ...sample(missing).map((item) => `  missing: ${item}`),
    ...sample(surplus).map((item) => `  not wanted: ${item}`),
  ]
  return `${part}${standing.length === 0 ? ': none' : ''}\n${lines.map((line) => `${line}\n`).join('')}`
}

const sample = (items: readonly string[]): readonly string[] =>
  items.length <= MOST_SHOWN
    ? items
    : [...items.slice(0, MOST_SHOWN), `and ${items.length - MOST_SHOWN} more`]

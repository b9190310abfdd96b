import { join, resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { type Command, Option } from 'commander'
import type { Config } from '../config/config.ts'
import type { DaemonOptions } from '../daemon/options.ts'
import { OnehopError } from '../errors.ts'
import { askDaemon } from './ask.ts'
import { addConfigOptions, type ConfigOptions } from './config-options.ts'
import type { CliContext } from './context.ts'
import { loadModule } from './load-module.ts'
import { RUN_DIR, socketPathOf } from './run-dir.ts'

interface RunOptions extends ConfigOptions {
  readonly routes: boolean
  readonly logLevel: string
  readonly socket?: string
  readonly runDir: string
  readonly stateDir: string
  readonly store?: string
  readonly takeOver?: true
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

const EXAMPLES = `
Examples:
  onehop run --config /etc/onehop.yaml
  onehop run --docker
  onehop run --tun onehop0 --bridge br0 --service 203.0.113.10:80/tcp \\
      --container web-1=10.77.0.11:8080 --container web-2=10.77.0.12:8080

SIGTERM and SIGINT stop it; SIGUSR2 too, but leaves what stands for clients to the next one. SIGHUP reads --config again and keeps
the old one when the new is wrong.`

export function addRunCommand(program: Command, context: CliContext): void {
  addConfigOptions(program.command('run').description('serve until told to stop'))
    .option('--no-routes', 'leave routes, rules, sysctls and nft alone (see: onehop routes)')
    .addOption(new Option('--log-level <level>', 'what to log').choices(LOG_LEVELS).default('info'))
    .option('--run-dir <path>', 'where what lives as long as the host runs is kept', RUN_DIR)
    .option('--socket <path>', 'the control socket (default: <run-dir>/<tun>.sock)')
    .option('--state-dir <path>', 'where what must survive a restart is kept', '/var/lib/onehop')
    .option('--store <path>', 'the folder that keeps the table, or off (default: <state-dir>/<tun>.store)')
    .option(
      '--take-over',
      "take the place of the daemon that has the TUN, if one has: its clients' packets wait meanwhile",
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: RunOptions) => {
      context.exitCode = await run(options, context)
    })
}

/**
 * V8 lets garbage lie as long as there is room, which there is plenty of: ten thousand services took 563 MB, and take 309
 * with this. No packet waits for JavaScript, so memory counts for more here than speed does.
 */
const preferSmallHeap = (): void => setFlagsFromString('--optimize-for-size')

async function run(options: RunOptions, { env }: CliContext): Promise<number> {
  const { confine, configLeft } = (await loadModule('../daemon/confine.ts')) as unknown as Confinement
  const { routes, logLevel, runDir, stateDir } = options
  const config = configLeft() ?? (await readAnew(options))
  const socketPath = options.socket ?? socketPathOf(runDir, config.interfaces.tun)
  confine(config, runDir)
  preferSmallHeap()
  const { runDaemon } = await loadModule('../daemon.ts')
  return await (runDaemon as (options: DaemonOptions) => Promise<number>)({
    config,
    routes,
    logLevel,
    env,
    socketPath,
    predecessor: async () => (options.takeOver ? await pidAt(socketPath) : undefined),
    runDir,
    stateDir,
    storePath: storePathOf(options, config),
    configFile: options.config === undefined ? undefined : resolve(options.config),
    reload: reloadOf(options),
  })
}

/** Of the daemon that answers there; undefined: none does. */
async function pidAt(socket: string): Promise<number | undefined> {
  try {
    const { pid } = (await askDaemon({ socket, runDir: '', tun: '' }, '/v1/status')) as {
      readonly pid: number
    }
    return pid
  } catch (error) {
    if (error instanceof OnehopError && error.code === 'E_DAEMON') return undefined
    throw error
  }
}

/** A file is read with room for what its parser throws away; what stays of it is all that the confined process gets. */
interface Confinement {
  confine(config: Config, runDir: string): void
  configLeft(): Config | undefined
}

/** Its parser and schemas are some 10 MB that a daemon mostly needs not once. */
async function readAnew(options: ConfigOptions): Promise<Config> {
  const { readConfig } = (await loadModule('./read-config.ts')) as unknown as {
    readConfig(options: ConfigOptions): { readonly config: Config }
  }
  return readConfig(options).config
}

const reloadOf = (options: ConfigOptions): DaemonOptions['reload'] =>
  options.config === undefined ? undefined : () => readAnew(options)

/** Undefined: nothing is stored. */
function storePathOf({ store, stateDir }: RunOptions, config: Config): string | undefined {
  if (store === '') throw new OnehopError('E_USAGE', '--store "": expected a path, or off')
  const chosen = store ?? config.store ?? join(stateDir, `${config.interfaces.tun}.store`)
  return chosen === 'off' ? undefined : resolve(chosen)
}

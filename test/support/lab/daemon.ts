import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Namespace } from './namespace.ts'
import type { Exit, Output, Running } from './running.ts'

export interface DaemonOptions {
  /** YAML text, or a value to be written as such; or, without it, what `flags` say. */
  readonly config?: unknown
  /** More arguments of `onehop run`. */
  readonly flags?: readonly string[]
  /** A command that runs the daemon, such as setpriv with its options. */
  readonly wrapper?: readonly string[]
}

/** A line of its log. */
export interface LogRecord {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

const ROOT = join(import.meta.dirname, '..', '..', '..')

/**
 * The command line of onehop as it was built, which starts ten times as fast as the source. Throws when it was
 * built from an older source, for then a test would prove nothing.
 */
export function onehopCommand(): readonly string[] {
  const program = join(ROOT, 'dist', 'main.js')
  const source = join(ROOT, 'src')
  const changed = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => statSync(join(source, file)).mtimeMs)
  const builtMs = statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (builtMs < Math.max(...changed)) throw new Error(`${program} is older than the source: npm run build`)
  return [process.execPath, program]
}

/** The daemon in the host's namespace, with its socket, run and state directories in a folder of its own. */
export class Daemon {
  readonly running: Running
  readonly configFile: string
  readonly #host: Namespace
  readonly #onehop: readonly string[]
  readonly #socket: string

  /** Starts it, and does not wait: it may be meant to fail. */
  constructor(host: Namespace, folder: string, { config, flags = [], wrapper = [] }: DaemonOptions) {
    this.#host = host
    this.#onehop = onehopCommand()
    this.#socket = join(folder, 'onehop.sock')
    this.configFile = join(folder, 'onehop.yaml')
    mkdirSync(folder, { recursive: true })
    if (config !== undefined) this.writeConfig(config)
    this.running = host.start([
      ...wrapper,
      ...this.#onehop,
      'run',
      ...['--socket', this.#socket, '--run-dir', join(folder, 'run'), '--state-dir', join(folder, 'state')],
      ...(config === undefined ? [] : ['--config', this.configFile]),
      ...flags,
    ])
  }

  /** YAML text as it is; anything else as JSON, which YAML includes. */
  writeConfig(config: unknown): void {
    writeFileSync(this.configFile, typeof config === 'string' ? config : JSON.stringify(config, null, 2))
  }

  get log(): readonly LogRecord[] {
    return this.running.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  }

  untilReady(): Promise<void> {
    return this.untilLogged(({ msg }) => msg === 'ready', 'ready')
  }

  untilLogged(isWanted: (record: LogRecord) => boolean, wanted: string): Promise<void> {
    return this.running.until(() => this.log.some(isWanted), wanted, 60_000)
  }

  /** Runs a command of the CLI that asks this daemon. */
  ask(command: string, ...argv: readonly string[]): Promise<Output> {
    return this.#host.attempt(this.commandLine(command, ...argv))
  }

  /** Such a command, to be run in the host's namespace. */
  commandLine(command: string, ...argv: readonly string[]): readonly string[] {
    return [...this.#onehop, command, ...argv, '--socket', this.#socket]
  }

  /** The same for one that goes on. */
  startAsking(command: string, ...argv: readonly string[]): Running {
    return this.#host.start([...this.#onehop, command, ...argv, '--socket', this.#socket])
  }

  /** What `onehop status --json` prints. */
  async status<Status>(): Promise<Status> {
    const { code, stdout, stderr } = await this.ask('status', '--json')
    if (code !== 0) throw new Error(`onehop status: exit ${code}\n${stderr}`)
    return JSON.parse(stdout) as Status
  }

  /** Patient, for a busy machine; how long it may take is for a test to say. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    return this.running.stop(signal, 30_000)
  }
}

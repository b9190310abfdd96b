import { type ChildProcess, spawn } from 'node:child_process'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface StartOptions {
  /** Adds a channel for messages (`child.send`); only for Node programs. */
  readonly ipc?: true
  readonly env?: Readonly<Record<string, string>>
}

/** Programs that routes and firewalls need are not on an ordinary user's path. */
const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`

/**
 * A process of the lab. It leads a process group of its own, which `stop` and `kill` end as a whole; the kernel
 * ends it when this process dies, however that happens (PR_SET_PDEATHSIG, prctl(2)).
 */
export class Running {
  readonly #child: ChildProcess
  readonly #argv: readonly string[]
  readonly exited: Promise<Exit>
  stdout = ''
  stderr = ''
  exit: Exit | undefined

  constructor(argv: readonly string[], { ipc, env }: StartOptions = {}) {
    this.#argv = argv
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, PATH, LC_ALL: 'C.UTF-8', ...env },
    })
    // A program that ends without reading its input is no error of ours.
    this.#child.stdin?.on('error', () => {})
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        this.exit = { code, signal }
        resolve(this.exit)
      })
    })
    // Whoever waits hears of it; when nobody does it must not end the test run.
    this.exited.catch(() => {})
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error(`${this.command}: not started`)
    return pid
  }

  get command(): string {
    return this.#argv.join(' ')
  }

  /** Complete lines of standard output so far. */
  get lines(): readonly string[] {
    return this.stdout.split('\n').slice(0, -1)
  }

  get child(): ChildProcess {
    return this.#child
  }

  /** Resolves as soon as `condition` holds, which is looked at whenever there is output; rejects on exit or time out. */
  until(condition: (self: this) => boolean, wanted: string, timeoutMs = 15_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        clearTimeout(timer)
        for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.off('data', look)
        if (error) reject(error)
        else resolve()
      }
      const look = () => {
        if (condition(this)) settle()
      }
      const timer = setTimeout(() => settle(this.#failure(`not ${wanted} within ${timeoutMs} ms`)), timeoutMs)
      for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', look)
      const onExit = () => settle(condition(this) ? undefined : this.#failure(`ended before ${wanted}`))
      this.exited.then(onExit, settle)
      look()
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Asks the process alone to end, insists with the whole group after `patienceMs`, and waits until it has ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 5_000): Promise<Exit> {
    this.signal(signal)
    const timer = setTimeout(() => this.kill(), patienceMs)
    const exit = await this.exited
    clearTimeout(timer)
    this.kill()
    return exit
  }

  /** Ends the whole group at once, without waiting. */
  kill(): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  #failure(what: string): Error {
    const { code, signal } = this.exit ?? {}
    const end = this.exit ? ` (exit ${code ?? signal})` : ''
    return new Error(
      `${this.command}: ${what}${end}\n${this.stdout.slice(-4_000)}${this.stderr.slice(-4_000)}`,
    )
  }
}

export interface Output extends Exit {
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions extends StartOptions {
  readonly input?: string
  readonly timeoutMs?: number
}

/** Runs to the end and returns what was printed, whatever the exit code; rejects when it takes too long. */
export async function attempt(argv: readonly string[], options: RunOptions = {}): Promise<Output> {
  const { input = '', timeoutMs = 60_000, ...start } = options
  const running = new Running(argv, start)
  running.child.stdin?.end(input)
  await running
    .until(({ exit }) => exit !== undefined, 'done', timeoutMs)
    .catch((error: Error) => {
      running.kill()
      throw error
    })
  const { stdout, stderr } = running
  return { ...(await running.exited), stdout, stderr }
}

/** As `attempt`, but an exit code other than 0 rejects with what was printed. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await attempt(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code ?? signal}\n${stdout}${stderr}`)
  return stdout
}

import { spawn } from 'node:child_process'
import { OnehopError } from '../errors.ts'

/** A program, its arguments and what it reads from stdin. No shell comes near it. */
export interface Command {
  readonly argv: readonly [program: string, ...args: string[]]
  readonly input?: string
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The Debian package of each program that the set-up runs. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  'iptables-nft': 'iptables',
  'ip6tables-nft': 'iptables',
  'iptables-legacy': 'iptables',
  'ip6tables-legacy': 'iptables',
}

/** sbin is not in every PATH, and messages are read in English. */
const ENVIRONMENT = {
  ...process.env,
  LC_ALL: 'C',
  PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
}

/** Its output; throws OnehopError E_NETWORK when it fails or is not there. */
export async function runCommand(command: Command): Promise<string> {
  return outputOf(command, await tryCommand(command))
}

/** What a command printed; throws like runCommand when it failed. */
export function outputOf(command: Command, result: CommandResult): string {
  if (result.code !== 0) throw commandError(command, result)
  return result.stdout
}

/** Its result, whatever it is; throws OnehopError E_NETWORK only when it cannot be started. */
export function tryCommand({ argv: [program, ...args], input }: Command): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: ENVIRONMENT, stdio: 'pipe' })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', (cause: NodeJS.ErrnoException) => reject(startError(program, cause)))
    child.on('close', (code, signal) =>
      resolve({
        code: code ?? -1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString() || (signal ? `ended by ${signal}` : ''),
      }),
    )
    // A program that ends before it has read everything says why on stderr.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
  })
}

function startError(program: string, cause: NodeJS.ErrnoException): OnehopError {
  const debian = PACKAGES[program] ?? program
  const message =
    cause.code === 'ENOENT'
      ? `${program}: not found; expected the program of the Debian package ${debian}`
      : `${program}: ${cause.code ?? cause.message}`
  return new OnehopError('E_NETWORK', message, { cause })
}

const MOST_REASON = 400

function commandError(command: Command, { code, stderr }: CommandResult): OnehopError {
  const reason = stderr.replace(/\s+/g, ' ').trim().slice(0, MOST_REASON) || `exit code ${code}`
  const need = /not permitted|Permission denied/.test(stderr) ? ' (need CAP_NET_ADMIN)' : ''
  return new OnehopError('E_NETWORK', `${failedLine(command, stderr)}: ${reason}${need}`)
}

/** `ip -batch` names the line that failed. */
function failedLine({ argv, input }: Command, stderr: string): string {
  const line = /Command failed -:([0-9]+)/.exec(stderr)?.[1]
  const text = line === undefined ? undefined : input?.split('\n')[Number(line) - 1]
  return text === undefined ? argv.join(' ') : `${argv[0]} ${text}`
}

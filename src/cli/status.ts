import { request } from 'node:http'
import type { Command } from 'commander'
import { CONFIG_DEFAULTS } from '../config/schema.ts'
import { OnehopError } from '../errors.ts'
import { type CliContext, print } from './context.ts'
import { RUN_DIR, socketPathOf } from './run-dir.ts'
import { formatSections } from './sections.ts'

interface StatusOptions {
  readonly json?: true
  readonly socket?: string
  readonly runDir: string
  readonly tun: string
}

const EXAMPLES = `
Examples:
  onehop status
  onehop status --tun onehop1 --json`

export function addStatusCommand(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('show what the running daemon serves and has counted')
    .option('--json', 'as JSON')
    .option('--tun <name>', 'the daemon of this TUN interface', CONFIG_DEFAULTS.tun)
    .option('--run-dir <path>', "the daemon's run directory", RUN_DIR)
    .option('--socket <path>', "the daemon's control socket (default: <run-dir>/<tun>.sock)")
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, socket, runDir, tun }: StatusOptions) => {
      const status = await getJson(socket ?? socketPathOf(runDir, tun), '/v1/status')
      await print(context.stdout, json ? `${JSON.stringify(status, null, 2)}\n` : formatSections(status))
    })
}

const TIMEOUT_MS = 5_000
/** 10,000 services with their counters are some megabytes. */
const LARGEST_ANSWER_BYTES = 256 * 1024 * 1024

/** Asks the daemon; throws E_DAEMON when none answers with JSON. */
async function getJson(socketPath: string, path: string): Promise<unknown> {
  const { status, body } = await get(socketPath, path).catch((cause: NodeJS.ErrnoException) => {
    throw new OnehopError('E_DAEMON', `${socketPath}: ${cause.code ?? cause.message}: ${remedyOf(cause)}`, {
      cause,
    })
  })
  if (status !== 200)
    throw new OnehopError('E_DAEMON', `${socketPath}: GET ${path} answers ${status}; expected 200`)
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new OnehopError('E_DAEMON', `${socketPath}: GET ${path} answers something that is not JSON`, {
      cause,
    })
  }
}

function remedyOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'EACCES') return 'not allowed to ask the daemon; expected root or its group'
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'no daemon answers here; is onehop run at work?'
  return 'the daemon does not answer as it should'
}

function get(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, timeout: TIMEOUT_MS, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      let length = 0
      answer.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > LARGEST_ANSWER_BYTES) asking.destroy(new Error('an answer too long'))
        else chunks.push(chunk)
      })
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      )
    })
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
    asking.on('error', reject)
    asking.end()
  })
}

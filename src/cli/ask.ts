import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Command } from 'commander'
import { PROBLEM_TYPE, type Problem } from '../api/problem.ts'
import { CONFIG_DEFAULTS } from '../config/defaults.ts'
import { OnehopError } from '../errors.ts'
import { RUN_DIR, socketPathOf } from './run-dir.ts'

export interface DaemonOptions {
  readonly socket?: string
  readonly runDir: string
  readonly tun: string
}

/** The options by which a command finds the running daemon. */
export const addDaemonOptions = (command: Command): Command =>
  command
    .option('--tun <name>', 'the daemon of this TUN interface', CONFIG_DEFAULTS.tun)
    .option('--run-dir <path>', "the daemon's run directory", RUN_DIR)
    .option('--socket <path>', "the daemon's control socket (default: <run-dir>/<tun>.sock)")

const TIMEOUT_MS = 5_000
/** 10,000 services with their counters are some megabytes. */
const LARGEST_ANSWER_BYTES = 256 * 1024 * 1024

/**
 * GETs `path` from the daemon, or POSTs `body` to it: bytes as they are, anything else as JSON. `patienceMs`: how long it
 * may be silent. Throws E_DAEMON when none answers with JSON, E_USAGE when it refuses what it was asked.
 */
export async function askDaemon(
  options: DaemonOptions,
  path: string,
  body?: unknown,
  patienceMs = TIMEOUT_MS,
): Promise<unknown> {
  const { bytes, asked } = await ask(options, path, body, patienceMs)
  return readJson(bytes.toString(), asked)
}

/** The same for an answer in bytes, with its headers. */
export const askDaemonForBytes = (options: DaemonOptions, path: string, body: unknown) =>
  ask(options, path, body, TIMEOUT_MS)

async function ask(options: DaemonOptions, path: string, body: unknown, patienceMs: number) {
  const socketPath = options.socket ?? socketPathOf(options.runDir, options.tun)
  const answer = await send(socketPath, path, body, patienceMs).catch((cause: NodeJS.ErrnoException) => {
    throw new OnehopError('E_DAEMON', `${socketPath}: ${cause.code ?? cause.message}: ${remedyOf(cause)}`, {
      cause,
    })
  })
  const asked = `${socketPath}: ${body === undefined ? 'GET' : 'POST'} ${path}`
  if (answer.status !== 200) throw refusalOf(answer, asked)
  return { ...answer, asked }
}

/** An answer that goes on. `signal` ends it, which is no error then. Throws as askDaemon does. */
export async function openDaemonStream(
  options: DaemonOptions,
  path: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  const socketPath = options.socket ?? socketPathOf(options.runDir, options.tun)
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path, agent: false, signal }, resolve).on('error', reject).end()
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new OnehopError('E_DAEMON', `${socketPath}: ${cause.code ?? cause.message}: ${remedyOf(cause)}`, {
      cause,
    })
  })
  const { statusCode: status = 0, headers } = answer
  if (status === 200) return answer
  const bytes = Buffer.concat(await answer.toArray())
  throw refusalOf({ status, headers, bytes }, `${socketPath}: GET ${path}`)
}

function readJson(text: string, asked: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new OnehopError('E_DAEMON', `${asked} answers something that is not JSON`, { cause })
  }
}

/** What was asked wrongly, in the daemon's words; else who says no, and why. */
function refusalOf({ status, headers, bytes }: Answer, asked: string): OnehopError {
  const answers = `${asked} answers ${status}`
  if (!headers['content-type']?.startsWith(PROBLEM_TYPE))
    return new OnehopError('E_DAEMON', `${answers}; expected 200`)
  const { detail } = readJson(bytes.toString(), asked) as Problem
  return status === 400
    ? new OnehopError('E_USAGE', detail)
    : new OnehopError('E_DAEMON', `${answers}: ${detail}`)
}

function remedyOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'EACCES') return 'not allowed to ask the daemon; expected root or its group'
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'no daemon answers here; is onehop run at work?'
  return 'the daemon does not answer as it should'
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

function send(socketPath: string, path: string, body: unknown, patienceMs: number): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json'
  const headers = body === undefined ? {} : { 'content-type': type }
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, method, headers, timeout: patienceMs, agent: false }
    const asking = request(options, (answer) => {
      const chunks: Buffer[] = []
      let length = 0
      answer.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > LARGEST_ANSWER_BYTES) asking.destroy(new Error('an answer too long'))
        else chunks.push(chunk)
      })
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, bytes: Buffer.concat(chunks) }),
      )
    })
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${patienceMs / 1000} s`)))
    asking.on('error', reject)
    asking.end(body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body))
  })
}

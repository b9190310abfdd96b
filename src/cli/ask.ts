import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { PROBLEM_TYPE, type Problem } from '../api/problem.ts'
import { OnehopError } from '../errors.ts'
import { type DaemonOptions, type Reach, reachDaemon, remedyOf } from './reach.ts'

export { addDaemonOptions, type DaemonOptions } from './reach.ts'

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
  const reach = reachDaemon(options)
  const answer = await send(reach, path, body, patienceMs).catch((cause: NodeJS.ErrnoException) => {
    throw unreachable(reach, cause)
  })
  const asked = `${reach.name}: ${body === undefined ? 'GET' : 'POST'} ${path}`
  if (answer.status !== 200) throw refusalOf(answer, asked)
  return { ...answer, asked }
}

const unreachable = ({ name }: Reach, cause: NodeJS.ErrnoException): OnehopError =>
  new OnehopError('E_DAEMON', `${name}: ${cause.code ?? cause.message}: ${remedyOf(cause)}`, { cause })

/** An answer that goes on. `signal` ends it, which is no error then. Throws as askDaemon does. */
export async function openDaemonStream(
  options: DaemonOptions,
  path: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  const reach = reachDaemon(options)
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const { at, headers } = reach
    reach
      .request({ ...at, path, headers, agent: false, signal }, resolve)
      .on('error', reject)
      .end()
  }).catch((cause: NodeJS.ErrnoException) => {
    throw unreachable(reach, cause)
  })
  const { statusCode: status = 0, headers } = answer
  if (status === 200) return answer
  const bytes = Buffer.concat(await answer.toArray())
  throw refusalOf({ status, headers, bytes }, `${reach.name}: GET ${path}`)
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

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

function send(reach: Reach, path: string, body: unknown, patienceMs: number): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json'
  const headers = { ...reach.headers, ...(body === undefined ? {} : { 'content-type': type }) }
  return new Promise((resolve, reject) => {
    const options = { ...reach.at, path, method, headers, timeout: patienceMs, agent: false }
    const asking = reach.request(options, (answer) => {
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

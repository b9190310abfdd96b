import type { IncomingMessage } from 'node:http'
import { request as requestHttp } from 'node:http'
import { type RequestOptions, request as requestHttps } from 'node:https'
import type { z } from 'zod'
import { oneLine, quoteValue } from '../../config/issue.ts'
import { isTimeout, readBody, readLines, tryJson } from '../http.ts'

const LONGEST_ANSWER_MS = 10_000
const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
const LONGEST_LINE_BYTES = 8 * 1024 * 1024
/** A peer that vanished is noticed after this and ten probes a second apart (libuv's uv_tcp_keepalive). */
const KEEP_ALIVE_MS = 15_000

/** Where the API server is, and the credentials to come with. */
export interface Access {
  readonly server: string
  /** The namespace that the credentials name. */
  readonly namespace: string
  /** TLS material, headers and agent of one request; a token that was rotated is read anew. */
  options(): Promise<RequestOptions>
}

/** An answer other than 200; a 410 says that a resourceVersion is too old. */
export class StatusError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** GETs what `schema` describes. Rejects with StatusError, or with an Error that names the server. */
export async function read<T>(
  access: Access,
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_ANSWER_MS)])
  const answer = await open(access, path, bounded)
  const text = await bodyOf(answer, path).catch((cause: Error) => {
    throw explain(cause, access.server)
  })
  return parse(text, schema, path)
}

/**
 * Resolves when the server has begun to answer; the lines of the answer come out until the server ends it. `silentMs`: how
 * long nothing at all may come before the server is taken for gone.
 */
export async function openLines<T>(
  access: Access,
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  silentMs: number,
): Promise<AsyncIterable<T>> {
  const answer = await open(access, path, signal)
  answer.socket.setKeepAlive(true, KEEP_ALIVE_MS)
  answer.socket.setTimeout(silentMs, () =>
    answer.destroy(new Error(`${path}: silent for ${silentMs / 1000} s`)),
  )
  return parseLines(answer, schema, path, access.server)
}

async function* parseLines<T>(
  answer: IncomingMessage,
  schema: z.ZodType<T>,
  path: string,
  server: string,
): AsyncIterable<T> {
  const tooLong = `${path}: a line longer than ${LONGEST_LINE_BYTES} bytes`
  try {
    for await (const line of readLines(answer, LONGEST_LINE_BYTES, tooLong))
      if (line !== '') yield parse(line, schema, path)
  } catch (cause) {
    throw explain(cause as Error, server)
  }
}

async function open(access: Access, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const url = new URL(access.server.replace(/\/$/, '') + path)
  const options = await access.options()
  const request = url.protocol === 'http:' ? requestHttp : requestHttps
  const headers = { ...options.headers, accept: 'application/json', 'user-agent': 'onehop' }
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = request(url, { ...options, headers, signal }, resolve)
    asking.on('error', (cause) => reject(explain(cause, access.server)))
    asking.end()
  })
  if (answer.statusCode === 200) return answer
  const reason = messageIn(await bodyOf(answer, path))
  throw new StatusError(
    answer.statusCode ?? 0,
    `${access.server}: ${path}: HTTP status ${answer.statusCode}${reason}`,
  )
}

function explain(cause: NodeJS.ErrnoException, server: string): Error {
  const what = isTimeout(cause)
    ? `no answer within ${LONGEST_ANSWER_MS / 1000} s`
    : (cause.code ?? cause.message)
  return new Error(`${server}: ${what}`, { cause })
}

const bodyOf = (answer: IncomingMessage, path: string): Promise<string> =>
  readBody(answer, LARGEST_ANSWER_BYTES, `${path}: an answer larger than ${LARGEST_ANSWER_BYTES} bytes`)

function parse<T>(text: string, schema: z.ZodType<T>, path: string): T {
  const parsed = schema.safeParse(tryJson(text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Error(`${path}: ${issue?.path.join('.')}: ${issue?.message}: ${quoteValue(text)}`)
}

/** A Status object says why; what is none of that kind is left out. */
function messageIn(body: string): string {
  const message = (tryJson(body) as { message?: unknown } | null | undefined)?.message
  return typeof message === 'string' ? `: ${oneLine(message)}` : ''
}

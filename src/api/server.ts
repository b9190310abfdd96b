import type { ServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { oneLine } from '../config/issue.ts'
import { JSON_TYPE, readAsked } from './asked.ts'
import { inPieces } from './pieces.ts'
import { makeProblem, PROBLEM_TYPE, type Problem, problemOf, UnfitType } from './problem.ts'
import { type BytesAnswer, isBytes, type Route } from './route.ts'
import { ROUTES } from './routes.ts'
import type { ApiSource } from './source.ts'
import { RECORD_TYPE } from './table.ts'

/** A request is a few lines and, at most, some names. */
const LARGEST_BODY_BYTES = 64 * 1024
const LONGEST_REQUEST_MS = 5_000
/** How often it is looked for requests that take longer, and for connections that say nothing. */
const LOOK_MS = 1_000
const LONGEST_IDLE_MS = 5_000
const BOUNDS = { headersTimeout: LONGEST_REQUEST_MS, connectionsCheckingInterval: LOOK_MS }
/** Whoever opens more is closed at once. A connection that is served costs some 20 KB. */
export const MOST_CONNECTIONS = 128

/** All routes on a server that does not listen yet. `onDefect`: an error that no request may cause. */
export function createServer(
  source: ApiSource,
  onDefect: (error: unknown) => void,
  https?: ServerOptions,
): FastifyInstance {
  const server = fastify({
    bodyLimit: LARGEST_BODY_BYTES,
    requestTimeout: LONGEST_REQUEST_MS,
    keepAliveTimeout: LONGEST_IDLE_MS,
    ...(https === undefined ? { http: BOUNDS } : { https: { ...BOUNDS, ...https } }),
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    frameworkErrors: (error, _, reply) => sendProblem(reply, problemOf(error)),
    clientErrorHandler: refuseBytes,
  })
  server.server.maxConnections = MOST_CONNECTIONS
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(JSON_TYPE, { parseAs: 'string' }, server.getDefaultJsonParser('error', 'error'))
  server.addContentTypeParser(RECORD_TYPE, { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  server.setErrorHandler((error, { headers }, reply) => {
    const isUnfit = (error as { code?: string }).code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
    const problem = problemOf(isUnfit ? new UnfitType(headers['content-type'], TYPES) : error)
    if (problem.status === 500) onDefect(error)
    return sendProblem(reply, problem)
  })
  server.setNotFoundHandler(({ method, url }, reply) =>
    sendProblem(reply, makeProblem(404, `${method} ${oneLine(url)}: ${NO_ROUTE}`, 'E_USAGE')),
  )
  for (const route of ROUTES) addRoute(server, route, source)
  return server
}

/** As fastify has it. */
const ANSWER_TYPE = `${JSON_TYPE}; charset=utf-8`
const TYPES = `${JSON_TYPE} or ${RECORD_TYPE}`
const NO_ROUTE = 'nothing is there; expected a path and method that GET /v1/openapi.json names'

function addRoute(server: FastifyInstance, route: Route, source: ApiSource): void {
  const { method, path, body, answer, handle } = route
  server.route({
    method,
    url: path,
    bodyLimit: (isBytes(body) ? body.mostBytes : undefined) ?? LARGEST_BODY_BYTES,
    handler: async (request, reply) => {
      const answered = await handle(readAsked(route, request) as Parameters<typeof handle>[0], source)
      if (isBytes(answer)) return sendBytes(reply, answer.type, answered as BytesAnswer)
      const pieces = inPieces(answered)
      return pieces === undefined ? reply.send(answered) : reply.type(ANSWER_TYPE).send(pieces)
    },
  })
}

function sendBytes(reply: FastifyReply, type: string, { content, headers }: BytesAnswer): FastifyReply {
  const body =
    content instanceof Uint8Array
      ? Buffer.from(content.buffer, content.byteOffset, content.byteLength)
      : content
  return reply
    .headers(headers ?? {})
    .type(type)
    .send(body)
}

export const sendProblem = (reply: FastifyReply, problem: Problem): FastifyReply =>
  reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem))

const STATUS_OF: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/**
 * What was sent is no HTTP, or not in time: there is no request to answer, only a socket. What follows a connection's last
 * request is nobody's business: the answer to that closes it.
 */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'HPE_CLOSED_CONNECTION') return
  if (!socket.writable || error.code === 'ECONNRESET' || isBeingAnswered(socket)) return void socket.destroy()
  const status = STATUS_OF[error.code ?? ''] ?? 400
  const problem = makeProblem(status, `${error.code}; expected an HTTP request`, 'E_USAGE')
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${status} ${problem.title}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  )
}

/** A refusal in the middle of an answer would become part of it. Node's own handler looks there too (_http_server.js). */
const isBeingAnswered = (socket: Socket & { _httpMessage?: { _headerSent?: boolean } }): boolean =>
  socket._httpMessage?._headerSent === true

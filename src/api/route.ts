import type { Readable } from 'node:stream'
import type { z } from 'zod'
import type { Given } from './pieces.ts'
import type { ApiSource } from './source.ts'

/**
 * A route of the API is declared once. What is asked is validated by it, the OpenAPI document says it, and its handler has
 * its types:
 *
 *     export const pinRoutes = [
 *       route({
 *         method: 'POST',
 *         path: '/v1/table/pin',
 *         summary: 'Send a source of a service to a container',
 *         body: z.strictObject({ source: z.string('an address'), container: z.string('a name') }),
 *         answer: listOf(operatorPin),
 *         handle: ({ body }, { table }) => table.pin(body),
 *       }),
 *     ]
 *
 * To add one: declare it in a file of its own, name that in routes.ts, make what it asks of the daemon a member of
 * ApiSource (source.ts), and run `npm run openapi`. A schema's message says what was expected in a value's place, as in the
 * config (config/values.ts); strict objects refuse what they do not know. A handler throws OnehopError: E_USAGE, E_CONFIG
 * and E_INPUT are answered 400, others 503 (problem.ts).
 */
export const route = <
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | Bytes | undefined = undefined,
  Answer extends z.ZodType | Bytes = z.ZodType,
  Headers extends z.ZodType | undefined = undefined,
>(
  declaration: Declaration<Params, Query, Body, Answer, Headers>,
): Route => declaration

/** Any of them. */
export type Route = Declaration<
  z.ZodType | undefined,
  z.ZodType | undefined,
  z.ZodType | Bytes | undefined,
  z.ZodType | Bytes,
  z.ZodType | undefined
>

interface Declaration<Params, Query, Body, Answer, Headers> {
  readonly method: 'GET' | 'POST'
  /** `:name` stands for a part of it, which `params` describes. */
  readonly path: `/v1/${string}`
  readonly summary: string
  readonly params?: Params
  /** Of texts, or what can be read from them (`z.coerce`). */
  readonly query?: Query
  /** Of those that count, by their names in small letters; others are not looked at. */
  readonly headers?: Headers
  readonly body?: Body
  readonly answer: Answer
  handle(
    asked: {
      readonly params: Read<Params>
      readonly query: Read<Query>
      readonly headers: Read<Headers>
      readonly body: Read<Body>
    },
    source: ApiSource,
  ): AnswerOf<Answer> | Promise<AnswerOf<Answer>>
}

/** Content that is no JSON. */
export interface Bytes {
  readonly type: string
  readonly description: string
  /** Of a request; LARGEST_BODY_BYTES (server.ts) unless given. */
  readonly mostBytes?: number
  /** Of an answer: headers by name, with what each says. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What the handler of a route that answers bytes returns. */
export interface BytesAnswer {
  readonly content: Uint8Array | Readable
  readonly headers?: Readonly<Record<string, string>>
}

type Read<Of> = Of extends z.ZodType ? z.output<Of> : Of extends Bytes ? Uint8Array : undefined
type AnswerOf<Of> = Of extends z.ZodType ? Given<z.output<Of>> : BytesAnswer

export const isBytes = (content: z.ZodType | Bytes | undefined): content is Bytes =>
  content !== undefined && !('safeParse' in content)

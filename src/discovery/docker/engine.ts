import { Agent, type IncomingMessage, request } from 'node:http'
import { z } from 'zod'
import { oneLine } from '../../config/issue.ts'
import { isTimeout, readBody, readLines, tryJson } from '../http.ts'

/** The API versions that were tried; what is read here has not changed between them. */
const OLDEST_API = '1.24'
const NEWEST_API = '1.52'

const LONGEST_ANSWER_MS = 10_000
const LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
const LONGEST_EVENT_BYTES = 1024 * 1024
const MOST_CONNECTIONS = 8

const versionSchema = z.object({ ApiVersion: z.string(), MinAPIVersion: z.string().default(OLDEST_API) })

const eventSchema = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()).nullish() }),
})

/** One line of `GET /events`. */
export interface EngineEvent {
  /** `container`, `network` … */
  readonly type: string
  /** `start`, `die`, `health_status: healthy` … */
  readonly action: string
  /** The container's or the network's. */
  readonly id: string
  /** A container's labels, `name`, and what belongs to the action: `signal`; for networks `container`. */
  readonly attributes: Readonly<Record<string, string>>
}

type Filters = Readonly<Record<string, readonly string[]>>

/** A Docker Engine on its unix socket, in a version of its API that both sides know. */
export class Engine {
  readonly #socketPath: string
  readonly #prefix: string
  readonly #agent: Agent
  readonly #signal: AbortSignal

  private constructor(socketPath: string, prefix: string, agent: Agent, signal: AbortSignal) {
    this.#socketPath = socketPath
    this.#prefix = prefix
    this.#agent = agent
    this.#signal = signal
  }

  /** Every connection ends when `signal` is raised. Rejects with an Error that says what is wrong, as all below. */
  static async connect(socketPath: string, signal: AbortSignal): Promise<Engine> {
    const agent = new Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS })
    signal.addEventListener('abort', () => agent.destroy(), { once: true })
    const unversioned = new Engine(socketPath, '', agent, signal)
    const { ApiVersion, MinAPIVersion } = await unversioned.#read('/version', versionSchema)
    return new Engine(socketPath, `/v${negotiate(MinAPIVersion, ApiVersion)}`, agent, signal)
  }

  /** Undefined: there is no such thing. */
  async find<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.#ask(path)
    return text === undefined ? undefined : parse(path, text, schema)
  }

  async #read<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const found = await this.find(path, schema)
    if (found === undefined) throw new Error(`GET ${path}: not found; expected a Docker Engine`)
    return found
  }

  /** The ids of what `filters` let through. */
  async containers(filters: Filters): Promise<readonly string[]> {
    const path = `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`
    return (await this.#read(path, z.array(z.object({ Id: z.string() })))).map(({ Id }) => Id)
  }

  /** Resolves when the engine has begun to tell; what happens from then on comes out, until the connection ends. */
  async events(filters: Filters): Promise<AsyncIterable<EngineEvent>> {
    const path = `/events?filters=${encodeURIComponent(JSON.stringify(filters))}`
    const answer = await this.#open(path, undefined, this.#signal)
    if (answer.statusCode !== 200) throw new Error(`GET ${path}: HTTP status ${answer.statusCode}`)
    return readEvents(answer)
  }

  async #ask(path: string): Promise<string | undefined> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(LONGEST_ANSWER_MS)])
    const answer = await this.#open(path, this.#agent, signal)
    const tooLarge = `GET ${path}: an answer larger than ${LARGEST_ANSWER_BYTES / 1024 / 1024} MiB`
    const text = await readBody(answer, LARGEST_ANSWER_BYTES, tooLarge).catch((error: Error) => {
      throw this.#explain(error)
    })
    if (answer.statusCode === 404) return undefined
    if (answer.statusCode !== 200)
      throw new Error(`GET ${path}: HTTP status ${answer.statusCode}: ${oneLine(messageIn(text))}`)
    return text
  }

  #open(path: string, agent: Agent | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = {
        socketPath: this.#socketPath,
        path: this.#prefix + path,
        signal,
        agent: agent ?? false,
      }
      const asking = request({ ...options, headers: { host: 'docker', 'user-agent': 'onehop' } }, resolve)
      asking.on('error', (error) => reject(this.#explain(error)))
      asking.end()
    })
  }

  #explain(cause: NodeJS.ErrnoException): Error {
    const { code, message } = cause
    if (isTimeout(cause))
      return new Error(`${this.#socketPath}: no answer within ${LONGEST_ANSWER_MS / 1000} s`)
    const hint = code === undefined ? undefined : HINTS[code]
    return new Error(`${this.#socketPath}: ${code ?? message}${hint ? `; ${hint}` : ''}`, { cause })
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'expected a Docker Engine that listens there',
  ECONNREFUSED: 'expected a Docker Engine that listens there',
  EACCES: 'expected root, or a member of the group docker',
}

/** The newest that both know. */
export function negotiate(oldest: string, newest: string): string {
  const version = compareVersions(newest, NEWEST_API) < 0 ? newest : NEWEST_API
  if (compareVersions(version, oldest) < 0 || compareVersions(version, OLDEST_API) < 0)
    throw new Error(
      `Docker Engine with API ${oldest} to ${newest}; expected one of ${OLDEST_API} to ${NEWEST_API}`,
    )
  return version
}

function compareVersions(a: string, b: string): number {
  const [major = 0, minor = 0] = a.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = b.split('.').map(Number)
  return major - otherMajor || minor - otherMinor
}

function parse<T>(path: string, text: string, schema: z.ZodType<T>): T {
  const value = tryJson(text)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`
  throw new Error(`GET ${path}: not what a Docker Engine answers${place}`)
}

/** Errors are `{"message": "…"}`. */
function messageIn(text: string): string {
  const parsed = z.object({ message: z.string() }).safeParse(tryJson(text))
  return parsed.success ? parsed.data.message : text
}

async function* readEvents(answer: IncomingMessage): AsyncGenerator<EngineEvent> {
  for await (const line of readLines(answer, LONGEST_EVENT_BYTES, 'an event larger than 1 MiB'))
    if (line.trim() !== '') yield parseEvent(line)
}

function parseEvent(line: string): EngineEvent {
  const { Type, Action, Actor } = parse('/events', line, eventSchema)
  return { type: Type, action: Action, id: Actor.ID, attributes: Actor.Attributes ?? {} }
}

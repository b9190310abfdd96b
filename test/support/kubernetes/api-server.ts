/**
 * What of a Kubernetes API server a reader of EndpointSlices meets, as the API's concepts describe it: lists in pages
 * with a continuation, watches from a resourceVersion with bookmarks and a time limit, 410 Gone for versions that are
 * compacted away, bearer tokens; and what goes wrong with real ones. A program too: commands are JSON lines on its standard
 * input, `{"call": "put", "with": [...]}`.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'

export interface Slice {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

interface WatchEvent {
  readonly type: string
  readonly object: Slice & { readonly metadata: { readonly resourceVersion: string } }
}

interface Watcher {
  readonly answer: ServerResponse
  readonly selector: string
}

export interface ApiServerOptions {
  readonly key: string | Buffer
  readonly cert: string | Buffer
  readonly host?: string
  readonly port?: number
}

export class ApiServer {
  readonly #server: Server
  #version = 100
  /** What a watch from an older version than this is refused with. */
  #oldest = 0
  #slices = new Map<string, WatchEvent['object']>()
  #events: WatchEvent[] = []
  #watchers = new Set<Watcher>()
  /** Each request's path and query. */
  readonly requests: URL[] = []
  token = 'token-1'
  /** Whether a version that is gone is told as an event, as etcd's compaction is, or by the status line. */
  isGoneAnEvent = true
  /** What is answered in the place of everything: a status and a body. */
  broken: { readonly status: number; readonly body: string } | undefined
  /** Bytes at once, each after the event loop has turned; undefined: whole lines. */
  chunkBytes: number | undefined

  private constructor(options: ApiServerOptions) {
    this.#server = createServer(options, (request, answer) => this.#answer(request, answer))
  }

  static async start(options: ApiServerOptions): Promise<ApiServer> {
    const self = new ApiServer(options)
    await once(self.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1'), 'listening')
    return self
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get watches(): number {
    return this.#watchers.size
  }

  /** Creates a slice, or changes the one of that name. */
  put(slice: Slice): void {
    const type = this.#slices.has(slice.metadata.name) ? 'MODIFIED' : 'ADDED'
    const object = this.#stamped(slice)
    this.#slices.set(slice.metadata.name, object)
    this.#emit({ type, object })
  }

  remove(name: string): void {
    const object = this.#stamped(this.#slices.get(name)!)
    this.#slices.delete(name)
    this.#emit({ type: 'DELETED', object })
  }

  /** Something else in the cluster changes, and watches that asked for it are told the version. */
  bookmark(): void {
    const resourceVersion = String(++this.#version)
    for (const { answer } of this.#watchers)
      this.#write(answer, { type: 'BOOKMARK', object: { metadata: { resourceVersion } } })
  }

  /** Forgets what happened up to now, without a word to anybody. */
  compact(): void {
    this.#oldest = this.#version
    this.#events = []
  }

  /** Cuts every watch, in order (as after its time) or not. */
  drop(isOrderly: boolean): void {
    for (const { answer } of this.#watchers) isOrderly ? answer.end() : answer.destroy()
    this.#watchers.clear()
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #stamped(slice: Slice): WatchEvent['object'] {
    return { ...slice, metadata: { ...slice.metadata, resourceVersion: String(++this.#version) } }
  }

  #emit(event: WatchEvent): void {
    this.#events.push(event)
    for (const { answer, selector } of this.#watchers)
      if (isSelected(event.object, selector)) this.#write(answer, event)
  }

  #answer(request: IncomingMessage, answer: ServerResponse): unknown {
    const url = new URL(request.url!, 'https://server')
    this.requests.push(url)
    if (this.broken !== undefined) return answer.writeHead(this.broken.status).end(this.broken.body)
    if (request.headers.authorization !== `Bearer ${this.token}`) return fail(answer, 401, 'Unauthorized')
    if (url.pathname !== '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices')
      return fail(answer, 404, 'the server could not find the requested resource')
    return url.searchParams.get('watch') === '1'
      ? this.#watch(url.searchParams, answer)
      : this.#list(url.searchParams, answer)
  }

  #list(query: URLSearchParams, answer: ServerResponse): void {
    const all = [...this.#slices.values()].filter((slice) =>
      isSelected(slice, query.get('labelSelector') ?? ''),
    )
    const start = Number(query.get('continue') ?? 0)
    const end = start + Number(query.get('limit') ?? all.length)
    const next = end < all.length ? String(end) : ''
    const metadata = { resourceVersion: String(this.#version), continue: next }
    answer.end(JSON.stringify({ kind: 'EndpointSliceList', metadata, items: all.slice(start, end) }))
  }

  #watch(query: URLSearchParams, answer: ServerResponse): unknown {
    const from = Number(query.get('resourceVersion'))
    if (from < this.#oldest && !this.isGoneAnEvent) return fail(answer, 410, 'too old resource version')
    answer.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (from < this.#oldest) {
      const object = { kind: 'Status', code: 410, message: 'too old resource version' }
      this.#write(answer, { type: 'ERROR', object })
      return answer.end()
    }
    const selector = query.get('labelSelector') ?? ''
    for (const event of this.#events)
      if (Number(event.object.metadata.resourceVersion) > from && isSelected(event.object, selector))
        this.#write(answer, event)
    const watcher = { answer, selector }
    this.#watchers.add(watcher)
    return answer.on('close', () => this.#watchers.delete(watcher))
  }

  #write(answer: ServerResponse, event: unknown): void {
    const bytes = Buffer.from(`${JSON.stringify(event)}\n`)
    const step = this.chunkBytes ?? bytes.length
    const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
      bytes.subarray(i * step, (i + 1) * step),
    )
    const next = () => {
      const chunk = chunks.shift()
      if (chunk === undefined) return
      answer.write(chunk)
      setImmediate(next)
    }
    next()
  }
}

const isSelected = ({ metadata: { labels = {} } }: Slice, selector: string): boolean => {
  const [label = '', value] = selector.split('=')
  return selector === '' || labels[label] === value
}

const fail = (answer: ServerResponse, code: number, message: string) =>
  answer.writeHead(code).end(JSON.stringify({ kind: 'Status', status: 'Failure', message, code }))

type Command = 'put' | 'remove' | 'bookmark' | 'compact' | 'drop'

if (process.argv[1] === import.meta.filename) {
  const server = await ApiServer.start(JSON.parse(process.argv[2]!) as ApiServerOptions)
  process.stdout.write('ready\n')
  for await (const line of createInterface(process.stdin)) {
    const { call, with: given } = JSON.parse(line) as { call: Command; with: never[] }
    ;(server[call] as (...values: never[]) => void)(...given)
    process.stdout.write(`${line}\n`)
  }
}

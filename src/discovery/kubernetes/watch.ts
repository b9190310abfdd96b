import { z } from 'zod'
import { type Access, openLines, read, StatusError } from './api-server.ts'
import { type EndpointSlice, sliceSchema } from './slices.ts'

const ITEMS_A_PAGE = 500
/** What is asked of the server; each differs, so that many watches do not end at the same moment. */
const WATCH_SECONDS = { least: 240, most: 480 }
/** The server ends a watch by itself; one that is silent for longer than that is gone. */
const GRACE_MS = 30_000
const GONE = 410
const SHORTEST_WATCH_MS = 1_000
/** A slice holds a thousand endpoints at most, a hundred unless a cluster is set up otherwise. */
const MOST_SLICES = 4_096

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().nullish() }),
  items: z.array(sliceSchema),
})

const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: sliceSchema }),
  z.object({
    type: z.literal('BOOKMARK'),
    object: z.object({ metadata: z.object({ resourceVersion: z.string() }) }),
  }),
  z.object({
    type: z.literal('ERROR'),
    object: z.object({ code: z.number().nullish(), message: z.string().nullish() }),
  }),
])

/**
 * What the API server has under a path, followed by list and watch: read whole once, then event by event from the
 * resourceVersion that was read last. That version outlives a lost connection; only when the server has forgotten it (410
 * Gone) is everything read anew.
 */
export class SliceWatch {
  readonly #path: string
  readonly #selector: string
  readonly #onChange: (slices: Iterable<EndpointSlice>) => void
  /** Undefined: the next step is to list. */
  #version: string | undefined
  #slices = new Map<string, EndpointSlice>()

  constructor(namespace: string, service: string, onChange: (slices: Iterable<EndpointSlice>) => void) {
    this.#path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`
    this.#selector = `labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${service}`)}`
    this.#onChange = onChange
  }

  /** Until the connection is lost or `signal` is raised; rejects then. A watch that the server ends in order goes on. */
  async follow(access: Access, signal: AbortSignal): Promise<never> {
    for (;;) {
      if (this.#version === undefined) await this.#list(access, signal)
      const startedMs = performance.now()
      await this.#watch(access, signal)
      if (performance.now() - startedMs < SHORTEST_WATCH_MS && this.#version !== undefined)
        throw new Error(`${access.server}: ended a watch as soon as it had begun`)
    }
  }

  /** In pages. Rejects with a StatusError of 410 when they were asked for too slowly. */
  async #list(access: Access, signal: AbortSignal): Promise<void> {
    const slices = new Map<string, EndpointSlice>()
    let next = ''
    for (;;) {
      const path = `${this.#path}?${this.#selector}&limit=${ITEMS_A_PAGE}${next}`
      const { metadata, items } = await read(access, path, listSchema, signal)
      for (const slice of items) slices.set(slice.metadata.name, slice)
      if (slices.size > MOST_SLICES) throw new Error(`${path}: more than ${MOST_SLICES} EndpointSlices`)
      if (!metadata.continue) {
        this.#version = metadata.resourceVersion
        this.#slices = slices
        return this.#tell()
      }
      next = `&continue=${encodeURIComponent(metadata.continue)}`
    }
  }

  /** Returns when the server has ended it in order, or has forgotten the version. */
  async #watch(access: Access, signal: AbortSignal): Promise<void> {
    const { least, most } = WATCH_SECONDS
    const seconds = Math.floor(least + Math.random() * (most - least))
    const from = `resourceVersion=${encodeURIComponent(this.#version!)}&allowWatchBookmarks=true`
    const path = `${this.#path}?${this.#selector}&watch=1&${from}&timeoutSeconds=${seconds}`
    try {
      const events = await openLines(access, path, eventSchema, signal, seconds * 1000 + GRACE_MS)
      // The list holds again, whatever was said of it meanwhile.
      this.#tell()
      for await (const event of events) this.#take(event)
    } catch (error) {
      if (!(error instanceof StatusError && error.status === GONE)) throw error
      this.#version = undefined
    }
  }

  #take(event: z.output<typeof eventSchema>): void {
    switch (event.type) {
      case 'ERROR':
        throw new StatusError(event.object.code ?? 0, `watch: ${event.object.message ?? 'no message'}`)
      case 'BOOKMARK':
        this.#version = event.object.metadata.resourceVersion
        return
      case 'DELETED':
        this.#slices.delete(event.object.metadata.name)
        break
      default:
        this.#slices.set(event.object.metadata.name, event.object)
    }
    if (this.#slices.size > MOST_SLICES) throw new Error(`more than ${MOST_SLICES} EndpointSlices`)
    this.#version = event.object.metadata.resourceVersion
    this.#tell()
  }

  #tell(): void {
    this.#onChange(this.#slices.values())
  }
}

import { existsSync } from 'node:fs'
import type { IoCounters } from '../dataplane/dataplane.ts'
import type { EventBody } from '../events/event.ts'

export interface LookoutParts {
  readonly io: () => IoCounters
  /** By name: the TUN, bridges, uplinks. */
  readonly links: () => readonly string[]
  readonly problems: () => readonly string[]
  readonly tell: (event: EventBody) => void
}

const PERIOD_MS = 1_000

/** Looks once a second at what nobody reports, and tells what is another than it was. */
export class Lookout {
  readonly #parts: LookoutParts
  #fastPath: IoCounters['fastpath'] | undefined
  #links: ReadonlyMap<string, boolean> = new Map()
  #problems: ReadonlySet<string> = new Set()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: LookoutParts) {
    this.#parts = parts
  }

  start(): void {
    this.#look()
    this.#timer = setInterval(() => this.#look(), PERIOD_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    this.#lookAtFastPath()
    this.#lookAtLinks()
    this.#lookAtProblems()
  }

  #lookAtFastPath(): void {
    const before = this.#fastPath
    const { fastpath } = this.#parts.io()
    this.#fastPath = fastpath
    const { uplinks, ports, state, problem } = fastpath
    if (before === undefined ? state !== 'on' : before.uplinks === uplinks && before.ports === ports) return
    const hasMore = uplinks + ports > (before?.uplinks ?? 0) + (before?.ports ?? 0)
    this.#parts.tell({
      type: 'fastpath',
      change: hasMore ? 'attached' : 'detached',
      uplinks,
      ports,
      ...(problem === undefined ? {} : { problem }),
    })
  }

  /** The first look tells only of what is missing. */
  #lookAtLinks(): void {
    const links = new Map(this.#parts.links().map((link) => [link, isThere(link)]))
    for (const [link, isUp] of links)
      if (isUp !== (this.#links.get(link) ?? true))
        this.#parts.tell({ type: 'link', change: isUp ? 'come' : 'gone', link })
    this.#links = links
  }

  #lookAtProblems(): void {
    const problems = new Set(this.#parts.problems())
    for (const problem of this.#problems)
      if (!problems.has(problem)) this.#parts.tell({ type: 'problem', change: 'over', problem })
    for (const problem of problems)
      if (!this.#problems.has(problem)) this.#parts.tell({ type: 'problem', change: 'arose', problem })
    this.#problems = problems
  }
}

/** /proc/sys/net is that of the namespace of who reads it; /sys is that of who mounted it (net/sysctl_net.c). */
const isThere = (link: string): boolean => existsSync(`/proc/sys/net/ipv4/conf/${link}`)

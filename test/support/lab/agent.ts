import type { Namespace } from './namespace.ts'
import { Program } from './program.ts'

export interface AskOptions {
  /** The source address; by default the kernel chooses. */
  readonly from?: string
  readonly timeoutMs?: number
}

export interface GetOptions extends AskOptions {
  /** Requests with the same name share one connection that stays open; by default each has its own. */
  readonly connection?: string
}

/** What the HTTP servers in containers answer, and what UDP's answer to `who?`. */
export interface Who {
  readonly container: string
  readonly peer: string
  readonly peerPort: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
  readonly localPort: number
}

export interface UdpAnswer {
  /** Whom the answer came from. */
  readonly address: string
  readonly port: number
  readonly payload: string
}

/** How the two ends of a stream of known bytes agreed. */
export interface Transfer {
  readonly bytes: number
  readonly isEqual: boolean
  readonly seconds: number
}

/** A Node process in a namespace that makes requests for the test, without a process for each. */
export class Agent {
  readonly #program: Program

  private constructor(program: Program) {
    this.#program = program
  }

  static async start(namespace: Namespace): Promise<Agent> {
    return new Agent(await Program.start(namespace, 'agent.mjs'))
  }

  get(url: string, options: GetOptions = {}): Promise<HttpAnswer> {
    return this.#program.ask<HttpAnswer>('get', { url, ...options })
  }

  /** `get` of a container's server, parsed. */
  async who(url: string, options: GetOptions = {}): Promise<Who> {
    const { status, body } = await this.get(url, options)
    if (status !== 200) throw new Error(`${url}: ${status} ${body}`)
    return JSON.parse(body) as Who
  }

  /** Sends one datagram and waits for the answer, sending again every 200 ms. Rejects with ECONNREFUSED where ICMP says so. */
  udp(address: string, port: number, payload: string, options: AskOptions = {}): Promise<UdpAnswer> {
    return this.#program.ask<UdpAnswer>('udp', { address, port, payload, ...options })
  }

  /** Opens a TCP connection and closes it again: `open`, or the errno that it failed with. */
  connect(address: string, port: number, options: AskOptions = {}): Promise<string> {
    return this.#program.ask<string>('connect', { address, port, ...options })
  }

  /** Reads `bytes` bytes from a container's server and compares each with the one it must be. */
  download(url: string, bytes: number, options: AskOptions = {}): Promise<Transfer> {
    return this.#program.ask<Transfer>('download', { url, bytes, ...options })
  }

  /** Sends `bytes` known bytes to a container's server, which compares each with the one it must be. */
  upload(url: string, bytes: number, options: AskOptions = {}): Promise<Transfer> {
    return this.#program.ask<Transfer>('upload', { url, bytes, ...options })
  }
}

import { randomBytes } from 'node:crypto'
import { type Address, isAddress4 } from '../../address.ts'
import type { Cancel, Settle } from './probe.ts'

export interface EchoTarget {
  readonly type: 'icmp'
  readonly address: Address
}

/** A socket for echo requests of one address family. */
export interface EchoSocket {
  /** `nonce`: 8 bytes. Throws what the system refuses. */
  send(address: Address, nonce: Uint8Array): void
  close(): void
}

/** Throws what the system refuses. `onReply` gets each echo reply that arrives on the host, whoever asked. */
export type OpenEchoSocket = (isV6: boolean, onReply: (nonce: Uint8Array) => void) => EchoSocket

export interface Prober {
  probe(address: Address, settle: Settle): Cancel
}

const NONCE_BYTES = 8

/** Echo requests to many containers over one socket a family, opened by the first that needs it. */
export class Echoes implements Prober {
  readonly #open: OpenEchoSocket
  readonly #sockets = new Map<boolean, EchoSocket>()
  /** By nonce: random, so that a reply is its request's and no one else's guess. */
  readonly #waiting = new Map<string, Settle>()

  constructor(open: OpenEchoSocket) {
    this.#open = open
  }

  probe(address: Address, settle: Settle): Cancel {
    const nonce = randomBytes(NONCE_BYTES)
    const key = nonce.toString('latin1')
    this.#waiting.set(key, settle)
    try {
      this.#socket(!isAddress4(address)).send(address, nonce)
    } catch (error) {
      setImmediate(() => this.#settle(key, (error as Error).message))
    }
    return () => this.#waiting.delete(key)
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
    this.#waiting.clear()
  }

  #socket(isV6: boolean): EchoSocket {
    const open =
      this.#sockets.get(isV6) ??
      this.#open(isV6, (nonce) => this.#settle(Buffer.from(nonce).toString('latin1'), undefined))
    this.#sockets.set(isV6, open)
    return open
  }

  #settle(key: string, result: string | undefined): void {
    this.#waiting.get(key)?.(result)
  }
}

import { type RecordWithTtl, Resolver, type SrvRecord } from 'node:dns'
import { type Address, formatAddress } from '../../address.ts'
import { parseAddress, unusableKind } from '../../config/address.ts'
import { quoteValue } from '../../config/issue.ts'
import { MOST_ITEMS } from '../source.ts'

/** What a name stands for, and how long that is fresh. */
export interface Answer<Item> {
  readonly items: readonly Item[]
  readonly problems: readonly string[]
  readonly ttlSeconds: number
}

export interface NamedAddress {
  /** As people write it. */
  readonly text: string
  readonly address: Address
}

const TIMEOUT_MS = 2_000
const TRIES = 2

/** Of an answer that does not say how long it is fresh: nothing there, and SRV records, whose time Node does not tell. */
export const UNTOLD_SECONDS = 5

/** The name, or such records of it, are not there: an answer, and an empty one. */
const NOTHING = ['ENOTFOUND', 'ENODATA']

/** One round of questions to the host's name servers, or to the one named. Rejects with an Error that says what failed. */
export class Resolving {
  readonly #resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })

  constructor(server: string | undefined) {
    if (server !== undefined) this.#resolver.setServers([server])
  }

  cancel(): void {
    this.#resolver.cancel()
  }

  /** In order, each once. */
  async addresses(name: string, type: 'A' | 'AAAA'): Promise<Answer<NamedAddress>> {
    const records = await ask<RecordWithTtl>(name, type, (done) =>
      type === 'A'
        ? this.#resolver.resolve4(name, { ttl: true }, done)
        : this.#resolver.resolve6(name, { ttl: true }, done),
    )
    const found = [...new Set(records.map(({ address }) => address))].sort().map((text) => read(name, text))
    return {
      items: found.filter((one) => typeof one !== 'string').slice(0, MOST_ITEMS),
      problems: found.filter((one) => typeof one === 'string').slice(0, MOST_ITEMS),
      ttlSeconds: Math.min(...(records.length === 0 ? [UNTOLD_SECONDS] : records.map(({ ttl }) => ttl))),
    }
  }

  services(name: string): Promise<readonly SrvRecord[]> {
    return ask<SrvRecord>(name, 'SRV', (done) => this.#resolver.resolveSrv(name, done))
  }
}

type Done<Answer> = (error: NodeJS.ErrnoException | null, answer: Answer[]) => void

function ask<Answer>(
  name: string,
  type: string,
  start: (done: Done<Answer>) => void,
): Promise<readonly Answer[]> {
  return new Promise((resolve, reject) => {
    start((error, answer) => {
      if (error === null) resolve(answer)
      else if (NOTHING.includes(error.code ?? '')) resolve([])
      else reject(new Error(`${type} of ${name}: ${error.code ?? error.message}`, { cause: error }))
    })
  })
}

function read(name: string, text: string): NamedAddress | string {
  const address = parseAddress(text)
  const kind = address === undefined ? 'unknown' : unusableKind(address)
  if (address === undefined || kind !== undefined)
    return `${name}: ${quoteValue(text)} is ${kind}; expected an address other than that`
  return { text: formatAddress(address), address }
}

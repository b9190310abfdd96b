import { Readable } from 'node:stream'
import { isAddress4, mappedBytes } from '../address.ts'
import { parsePrefix } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { DataPlane, WatchOptions } from '../dataplane/dataplane.ts'
import { OnehopError } from '../errors.ts'
import { serviceOf } from '../pins.ts'
import type { Identities } from '../pipeline/identities.ts'
import { REASONS } from '../pipeline/verdict.ts'
import { captureCounts, captureHead, captureSighting } from './capture.ts'
import { tellStory } from './story.ts'
import { type Seen, Watching } from './watching.ts'

/** Which packets, as people say it, and how many of them; all that is given must hold. */
export interface WatchRequest {
  readonly service?: string | undefined
  readonly container?: string | undefined
  /** An address or a prefix of clients. */
  readonly source?: string | undefined
  readonly verdict?: string | undefined
  readonly reason?: string | undefined
  /** Bytes kept of each. */
  readonly snap: number
  readonly perSecond: number
  readonly maxPackets: number
  readonly maxBytes: number
  readonly seconds: number
}

export interface WatchParts {
  readonly dataPlane: Pick<DataPlane, 'watch' | 'take' | 'unwatch'>
  readonly identities: Identities
  readonly config: () => Config
  readonly version: string
}

/** Lets operators look at packets on their way. Streams end by themselves at a bound, and with whoever reads them. */
export class WatchOperator {
  readonly #parts: WatchParts

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** A pcapng file as it comes. Throws E_USAGE for a request that names nothing there is. */
  capture(request: WatchRequest): Readable {
    const { identities, version, config } = this.#parts
    const { tun, bridges } = config().interfaces
    let id = 0n
    return this.#stream(request, captureHead(`onehop ${version}`, tun, bridges, request.snap), (seen) => [
      ...seen.sightings.map((sighting) => captureSighting(sighting, id++, identities)),
      captureCounts(seen.sightings.at(-1)!.readNs, seen.matched, seen.lost),
    ])
  }

  /** A story a line, as JSON; the first line says that it has begun. */
  trace(request: WatchRequest): Readable {
    const { identities } = this.#parts
    const line = (value: unknown) => Buffer.from(`${JSON.stringify(value)}\n`)
    return this.#stream(request, line({ watching: true }), ({ sightings }) =>
      sightings.map((sighting) => line(tellStory(sighting, identities))),
    )
  }

  #stream(request: WatchRequest, head: Uint8Array, encode: (seen: Seen) => readonly Uint8Array[]): Readable {
    const bounds = { packets: request.maxPackets, ms: request.seconds * 1000 }
    const watching = new Watching(this.#parts.dataPlane, this.#compile(request), bounds, () =>
      stream.destroy(),
    )
    const stream = Readable.from(within(request.maxBytes, head, watching, encode), { objectMode: false })
    stream.once('close', () => watching.close())
    return stream
  }

  #compile({ service, container, source, verdict, reason, snap, perSecond }: WatchRequest): WatchOptions {
    const { identities } = this.#parts
    const config = this.#parts.config()
    const containers = new Set(config.services.flatMap((one) => one.containers.map(({ name }) => name)))
    if (container !== undefined && !containers.has(container))
      throw new OnehopError(
        'E_USAGE',
        `"${container}" is no container; expected one of: onehop containers list`,
      )
    return {
      service: service === undefined ? 0 : identities.service(serviceOf(config, service).name),
      container: container === undefined ? 0 : identities.container(container),
      codes: codesOf(verdict, reason),
      ...compileSource(source),
      snap,
      perSecond,
    }
  }
}

/** Whole pieces, as many as fit. */
async function* within(
  most: number,
  head: Uint8Array,
  watching: Watching,
  encode: (seen: Seen) => readonly Uint8Array[],
): AsyncGenerator<Uint8Array> {
  let left = most - head.length
  yield head
  for await (const seen of watching.batches()) {
    const pieces: Uint8Array[] = []
    for (const piece of encode(seen)) {
      left -= piece.length
      if (left >= 0) pieces.push(piece)
    }
    if (pieces.length > 0) yield Buffer.concat(pieces)
    if (left < 0) return
  }
}

function codesOf(verdict: string | undefined, reason: string | undefined): Uint8Array {
  const codes = REASONS.flatMap(([ofVerdict, ofReason], code) =>
    (verdict ?? ofVerdict) === ofVerdict && (reason ?? ofReason) === ofReason ? [code] : [],
  )
  if (codes.length > 0) return Uint8Array.from(codes)
  const asked = [verdict, reason].filter((word) => word !== undefined).join(' ')
  throw new OnehopError(
    'E_USAGE',
    `"${asked}": no packet gets that; expected a verdict or reason of the README's`,
  )
}

function compileSource(text: string | undefined): Pick<WatchOptions, 'source' | 'prefix'> {
  if (text === undefined) return { source: new Uint8Array(16), prefix: 0 }
  const prefix = parsePrefix(text)
  if (prefix === undefined)
    throw new OnehopError(
      'E_USAGE',
      `"${text}": expected an address or a prefix such as 198.51.100.0/24, no bits set after its length`,
    )
  return {
    source: mappedBytes(prefix.address),
    prefix: prefix.length + (isAddress4(prefix.address) ? 96 : 0),
  }
}

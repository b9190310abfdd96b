import { type Address, mappedBytes } from '../address.ts'
import { BucketRing, type RingKey } from './bucket-ring.ts'

/** One flow at a container's endpoint, as the endpoint sees it. */
export interface Flow {
  readonly protocol: number
  readonly client: Address
  readonly clientPort: number
  readonly endpoint: Address
  readonly endpointPort: number
}

/** The way in that a flow used. */
export interface PublicEnd {
  readonly address: Address
  readonly port: number
}

/**
 * Flow → public end, kept only for endpoints that several public addresses or ports share: there the
 * endpoint alone does not tell which one an answer must return from. Bounded; the least recently made go.
 */
export class FlowTable {
  readonly #ring: BucketRing<PublicEnd>

  constructor(capacity: number, hashKey: Uint8Array) {
    this.#ring = new BucketRing(capacity, hashKey)
  }

  lookup(flow: Flow): PublicEnd | undefined {
    return this.#ring.lookup(flowRingKey(flow))
  }

  remember(flow: Flow, end: PublicEnd): void {
    this.#ring.store(flowRingKey(flow), end)
  }
}

/** Hashed as 40 bytes: client, endpoint (16 mapped each), their ports and the protocol, little-endian. */
const flowRingKey = (flow: Flow): RingKey => ({
  name: `${flow.client}/${flow.endpoint}/${flow.clientPort}/${flow.endpointPort}/${flow.protocol}`,
  toBytes() {
    const bytes = new Uint8Array(40)
    bytes.set(mappedBytes(flow.client))
    bytes.set(mappedBytes(flow.endpoint), 16)
    const view = new DataView(bytes.buffer)
    view.setUint16(32, flow.clientPort, true)
    view.setUint16(34, flow.endpointPort, true)
    view.setUint32(36, flow.protocol, true)
    return bytes
  },
})

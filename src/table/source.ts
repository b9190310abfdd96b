import { type Address, mappedBytes } from '../address.ts'
import type { RingKey } from './bucket-ring.ts'

/** What an entry is found by: a scope and a source masked to the service's affinity prefix. */
export interface SourceKey {
  readonly scope: number
  readonly source: Address
}

/** The key in a ring: hashed as 20 bytes, the source mapped to 16 and the scope little-endian. */
export const sourceRingKey = (key: SourceKey): RingKey => ({
  name: `${key.scope}/${key.source}`,
  toBytes() {
    const bytes = new Uint8Array(20)
    bytes.set(mappedBytes(key.source))
    new DataView(bytes.buffer).setUint32(16, key.scope, true)
    return bytes
  },
})

import type { Config, ContainerConfig } from './config/config.ts'
import type { Identities } from './pipeline/identities.ts'

/** Each container of a config once, however many services it serves, with its number. */
export function* eachContainer(
  { services }: Pick<Config, 'services'>,
  identities: Identities,
): Generator<readonly [id: number, container: ContainerConfig]> {
  let seen = new Uint8Array(4096)
  for (const { containers } of services)
    for (const container of containers) {
      const id = identities.container(container.name)
      if (id >= seen.length * 8) seen = grown(seen, id)
      const bit = 1 << (id & 7)
      if ((seen[id >> 3]! & bit) !== 0) continue
      seen[id >> 3]! |= bit
      yield [id, container]
    }
}

/** A bit a number: a set of a hundred thousand names would cost more than all that is said of them. */
function grown(bits: Uint8Array<ArrayBuffer>, id: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(bits.length * 2, (id >> 3) + 1))
  larger.set(bits)
  return larger
}

import { buildRing } from '../table/maglev.ts'
import { buildTurns } from '../table/turns.ts'
import type { Algorithm, Member, SnapshotService } from './snapshot.ts'

export type Family = 4 | 6

/** Those of a service's members that take new sources of one family, with their ring. */
export interface Candidates {
  readonly members: readonly Member[]
  /** Positions in `members`: Maglev's ring, the turns of a round robin, or each once; empty when there is none. */
  readonly ring: Uint16Array
}

/** The candidates of a snapshot's services, worked out when they are first asked for. */
export class CandidateLists {
  readonly #key: Uint8Array
  readonly #lists = new Map<SnapshotService, Map<Family, Candidates>>()

  constructor(key: Uint8Array) {
    this.#key = key
  }

  of(service: SnapshotService, family: Family): Candidates {
    const own = this.#lists.get(service) ?? new Map<Family, Candidates>()
    const candidates = own.get(family) ?? this.#build(service, family)
    this.#lists.set(service, own.set(family, candidates))
    return candidates
  }

  #build(service: SnapshotService, family: Family): Candidates {
    const members = service.members.filter(({ container, weight }) => {
      const address = family === 4 ? container.address4 : container.address6
      return container.state === 'ready' && weight > 0 && address !== undefined
    })
    return { members, ring: this.#buildRing(service.algorithm, members) }
  }

  #buildRing(algorithm: Algorithm, members: readonly Member[]): Uint16Array {
    const competitors = members.map(({ container, weight }) => ({ name: container.name, weight }))
    switch (algorithm) {
      case 'maglev':
      case 'random-two':
        return buildRing(competitors, this.#key)
      case 'weighted-round-robin':
        return buildTurns(competitors)
      case 'least-sources':
        return Uint16Array.from(members.keys())
    }
  }
}

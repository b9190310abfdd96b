import { buildRing } from '../table/maglev.ts'
import { buildTurns } from '../table/turns.ts'
import type { Algorithm, Member, SnapshotService } from './snapshot.ts'

export type Family = 4 | 6

export interface Candidate {
  readonly member: Member
  /** Above 0. */
  readonly weight: number
}

/** Those of a service's members that take new sources of one family, with their ring. */
export interface Candidates {
  readonly list: readonly Candidate[]
  /** Positions in `list`: Maglev's ring, the turns of a round robin, or each once; empty when there is none. */
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

  #build({ members, algorithm }: SnapshotService, family: Family): Candidates {
    const list = members
      .map((member) => ({ member, weight: family === 4 ? member.weight4 : member.weight6 }))
      .filter(({ weight }) => weight > 0)
    return { list, ring: this.#buildRing(algorithm, list) }
  }

  #buildRing(algorithm: Algorithm, list: readonly Candidate[]): Uint16Array {
    const competitors = list.map(({ member, weight }) => ({ name: member.container.name, weight }))
    switch (algorithm) {
      case 'maglev':
      case 'random-two':
        return buildRing(competitors, this.#key)
      case 'weighted-round-robin':
        return buildTurns(competitors)
      case 'least-sources':
        return Uint16Array.from(list.keys())
    }
  }
}

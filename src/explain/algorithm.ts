import { type Address, isAddress4 } from '../address.ts'
import { choose } from '../pipeline/choose.ts'
import { noEvidence } from '../pipeline/evidence.ts'
import type { SnapshotService } from '../pipeline/snapshot.ts'
import type { AlgorithmExplanation } from './explanation.ts'
import { pastOf, type Situation } from './situation.ts'

const BY_SOURCES: readonly string[] = ['least-sources', 'random-two']

/** Whom the algorithm would choose for a source, asked whether or not the decision had to; nobody's turn is taken. */
export function explainAlgorithm(
  service: SnapshotService,
  source: Address,
  situation: Situation,
): AlgorithmExplanation {
  const { lookup, table } = situation
  const { list, ring } = lookup.candidates.of(service, isAddress4(source) ? 4 : 6)
  const evidence = noEvidence()
  const picked = choose(service, source, lookup, pastOf(situation), evidence)
  const whole = list.reduce((sum, { weight }) => sum + weight, 0)
  return {
    name: service.algorithm,
    candidates: list.map(({ member: { container }, weight }) => ({
      container: container.name,
      weight,
      share: weight / whole,
      ...(BY_SOURCES.includes(service.algorithm) ? { sources: table.sourcesOn(container.id) } : {}),
    })),
    rows: evidence.rows.map((row) => ({
      row,
      of: ring.length,
      container: list[ring[row]!]!.member.container.name,
    })),
    ...(picked === undefined ? {} : { picks: picked.container.name }),
  }
}

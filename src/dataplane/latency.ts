import type { LatencyCounts } from './dataplane.ts'

export const countOf = ({ buckets }: LatencyCounts): number => buckets.reduce((sum, count) => sum + count, 0)

/**
 * Below which that part of the packets lies, in nanoseconds; undefined: there were none. Within a bucket they are taken to lie
 * evenly, as Prometheus' histogram_quantile does; of the last nothing is known but that it is above the largest bound.
 */
export function quantileNs(
  counts: LatencyCounts,
  boundsNs: readonly number[],
  part: number,
): number | undefined {
  const rank = countOf(counts) * part
  if (rank === 0) return undefined
  let below = 0
  for (const [i, bound] of boundsNs.entries()) {
    const within = counts.buckets[i]!
    const lower = boundsNs[i - 1] ?? 0
    if (below + within >= rank) return lower + ((bound - lower) * (rank - below)) / within
    below += within
  }
  return boundsNs.at(-1)
}

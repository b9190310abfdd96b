import { setTimeout as pause } from 'node:timers/promises'

/** Looks every few milliseconds until `condition` holds; rejects after `timeoutMs` naming what was wanted. */
export async function untilTrue(
  condition: () => boolean | Promise<boolean>,
  wanted: string,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${wanted}`)
    await pause(10)
  }
}

/** At most `limit` at a time, results in the order of `items`; the first failure rejects. */
export async function mapLimited<Item, Result>(
  items: readonly Item[],
  limit: number,
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length)
  const rest = items.entries()
  const work = async () => {
    for (const [index, item] of rest) results[index] = await map(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  return results
}

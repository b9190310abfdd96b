import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { RowBatch } from '../../src/dataplane/dataplane.ts'
import { HotSourceWalk } from '../../src/rates/hot-sources.ts'
import { firstOf } from '../../src/rates/rates.ts'
import { makeRows, type Rows, rowCount, sliceRows, writeEntry } from '../../src/table/rows.ts'

/** A table whose counters the test turns; a row knows nothing of its neighbours, so plain rows will do. */
class FakeTable {
  readonly #all: Rows

  constructor(size: number) {
    this.#all = makeRows(size)
    for (let i = 0; i < size; i++) this.set(i, 1)
  }

  set(i: number, packets: number): void {
    writeEntry(this.#all, i, {
      scope: 1,
      source: addressOf(i),
      container: 3,
      origin: 'assigned',
      sinceSeconds: 1,
      seenSeconds: 1,
      packets,
      bytes: packets * 60,
    })
  }

  rows(cursor: number, most: number): RowBatch {
    const end = Math.min(cursor + most, rowCount(this.#all))
    const next = end === rowCount(this.#all) ? 0 : end
    return { next, rows: sliceRows(this.#all, cursor, end) }
  }
}

const addressOf = (i: number) => (0x0a00_0000 + i).toString(16).padStart(8, '0') as Address

/** The words of a bad generator are good enough: the choice must not depend on them. */
function words(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state
  }
}

for (const [size, walks] of [
  [3_000, 2],
  [200_000, 4],
] as const)
  test(`of ${size} sources those that send most are found in ${walks} walks`, async () => {
    const table = new FakeTable(size)
    const walk = new HotSourceWalk(table, size * 2, words(7))
    const hot = [5, 1_234, size - 1]
    for (let turn = 1; turn <= walks; turn++) {
      for (const [i, source] of hot.entries()) table.set(source, 1 + turn * 1_000 * (i + 1))
      for (let i = 100; i < 150; i++) table.set(i, turn * 2)
      const found = await walk.walk(size)
      assert.equal(found.isMeasured, turn === walks)
      if (turn < walks) assert.deepEqual(found.sources, [])
      else {
        const best = found.sources.slice(0, 3)
        assert.deepEqual(
          best.map(({ source }) => source),
          hot.toReversed().map(addressOf),
        )
        const perSecond = 3_000 / (found.intervalMs / 1_000)
        assert.ok(Math.abs(best[0]!.packets - perSecond) < 1e-6 * perSecond)
        assert.ok(Math.abs(best[0]!.bytes - 60 * perSecond) < 1e-4 * perSecond)
        assert.ok(found.sources.length <= 100)
      }
    }
  })

test('the first of all, and the same order again for the same rates', () => {
  const item = (name: string, packets: number, bytes: number, entries: number) => {
    const none = { packets: 0, bytes: 0 }
    return { name, entries, in: { packets, bytes }, out: none }
  }
  const items = [item('c', 1, 9, 5), item('b', 2, 1, 5), item('a', 1, 3, 7)]
  const names = (sort: 'packets' | 'bytes' | 'entries' | 'name', limit = 3) =>
    firstOf(items, sort, limit)
      .shown.map(({ name }) => name)
      .join('')
  assert.equal(names('packets'), 'bac')
  assert.equal(names('bytes'), 'cab')
  assert.equal(names('entries'), 'abc')
  assert.equal(names('name'), 'abc')
  assert.equal(names('packets', 1), 'b')
  assert.equal(firstOf(items, 'name', 1).count, 3)
})

test('the first of ten thousand are those of the whole order', () => {
  const word = words(11)
  const items = Array.from({ length: 10_000 }, (_, i) => {
    const [packets, bytes] = [word() >>> 24, word() >>> 20]
    return { name: `${word()}-${i}`, in: { packets, bytes: 0 }, out: { packets: 1, bytes } }
  })
  const sumOf = {
    packets: ({ in: to, out }: (typeof items)[0]) => to.packets + out.packets,
    bytes: ({ in: to, out }: (typeof items)[0]) => to.bytes + out.bytes,
    name: () => 0,
  }
  for (const sort of ['packets', 'bytes', 'name'] as const) {
    const sorted = items.toSorted((a, b) => sumOf[sort](b) - sumOf[sort](a) || (a.name < b.name ? -1 : 1))
    for (const limit of [1, 7, 1_000, 20_000])
      assert.deepEqual(firstOf(items, sort, limit), { count: items.length, shown: sorted.slice(0, limit) })
  }
})

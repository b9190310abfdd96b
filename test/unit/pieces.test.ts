import assert from 'node:assert/strict'
import test from 'node:test'
import { inPieces, iterable } from '../../src/api/pieces.ts'

const numbers = (length: number) => Array.from({ length }, (_, n) => ({ n, text: `"${n}` }))
const lazily = <Item>(items: readonly Item[]): Iterable<Item> => iterable(() => items[Symbol.iterator]())

async function textOf(value: unknown): Promise<{ readonly text: string; readonly pieces: number }> {
  const pieces: Buffer[] = await inPieces(value)!.toArray()
  return { text: Buffer.concat(pieces).toString(), pieces: pieces.length }
}

for (const length of [0, 1, 255, 256, 257, 512, 10_000])
  test(`a list of ${length} is the same in pieces, at the top and below it`, async () => {
    const items = numbers(length)
    const of = (list: unknown) => ({ before: 1, none: undefined, list, short: [1], after: { deep: [] } })
    assert.equal((await textOf(lazily(items))).text, JSON.stringify(items))
    const { text, pieces } = await textOf(of(lazily(items)))
    assert.equal(text, JSON.stringify(of(items)))
    assert.ok(pieces >= length / 256, `${pieces} pieces`)
    if (length > 256) assert.equal((await textOf(of(items))).text, text)
  })

test('what is short goes at once', () => {
  for (const value of [null, 1, 'text', [], numbers(256), {}, { list: numbers(256) }])
    assert.equal(inPieces(value), undefined)
})

test('others get their turn between the pieces of a long list', async () => {
  let turns = 0
  const turning = setInterval(() => turns++, 0)
  await textOf(lazily(numbers(100_000)))
  clearInterval(turning)
  assert.ok(turns > 10, `${turns} turns`)
})

import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { buildRing, type RingMember, ringSize } from '../../src/table/maglev.ts'

/** What Maglev's ring promises for any list of containers (NSDI 2016, sections 3.4 and 5.3). */

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i)

const weight = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 256 }))
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
const listOf = (least: number) =>
  fc.uniqueArray(fc.record({ name, weight }), {
    minLength: least,
    maxLength: 20,
    selector: (member) => member.name,
  })

const RUNS = { numRuns: 100 }

/** The name that each row leads to. */
const namesOf = (members: readonly RingMember[]): readonly string[] =>
  [...buildRing(members, KEY)].map((index) => members[index]!.name)

test('gives every member its weight in rows, to within one turn each', () => {
  fc.assert(
    fc.property(listOf(1), (members) => {
      const rows = namesOf(members)
      const heaviest = Math.max(...members.map((member) => member.weight))
      const total = members.reduce((sum, member) => sum + member.weight, 0)
      for (const member of members) {
        const due = (rows.length * member.weight) / total
        const had = rows.filter((row) => row === member.name).length
        const turn = 1 + (member.weight * (members.length - 1)) / total + member.weight / heaviest
        assert.ok(Math.abs(had - due) <= turn, `${member.name}: ${had} rows, due ${due} ± ${turn}`)
      }
    }),
    RUNS,
  )
})

test('is the same whatever order the list comes in', () => {
  const list = listOf(2).chain((members) =>
    fc.tuple(
      fc.constant(members),
      fc.shuffledSubarray(members, { minLength: members.length, maxLength: members.length }),
    ),
  )
  fc.assert(
    fc.property(list, ([members, shuffled]) => {
      assert.deepEqual(namesOf(shuffled), namesOf(members))
    }),
    RUNS,
  )
})

test('moves few rows but the leaving member’s when one of ten leaves, and as few when it comes back', () => {
  const ten = fc.uniqueArray(name, { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(ten, fc.nat(9), (names, leaving) => {
      const members = names.map((each) => ({ name: each, weight: 1 }))
      const before = namesOf(members)
      const after = namesOf(members.filter((_, i) => i !== leaving))
      const moved = before.filter((row, i) => row !== names[leaving] && row !== after[i])
      assert.ok(
        moved.length < before.length * MOVED_AT_MOST,
        `${moved.length} of ${before.length} rows moved`,
      )
    }),
    RUNS,
  )
})

test('is as long as its list needs: a hundred rows a member or more, and a prime, so that every walk meets each row', () => {
  for (const [members, rows] of [
    [1, 1021],
    [10, 1021],
    [11, 4093],
    [100, 16381],
    [2621, 262139],
    [2622, 1048573],
    [10485, 1048573],
  ] as const) {
    assert.equal(ringSize(members), rows)
    for (let divisor = 2; divisor * divisor <= rows; divisor++) assert.notEqual(rows % divisor, 0)
  }
})

/** Mostly 2 or 3 in 100, of three thousand lists once 12. Plain hashing modulo the members moves 81 (1 − 1/10 − 9/10 · 1/10). */
const MOVED_AT_MOST = 0.2

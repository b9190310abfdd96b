import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { effectiveWeights, STEPS } from '../../src/compile/shares.ts'

/** What slow start and a maximum share promise for any list of containers. */

const RUNS = { numRuns: 500 }
const ROUNDING = 1e-3

const weights = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 256 })), { maxLength: 12 })
const most = fc.integer({ min: 1, max: 99 }).map((percent) => percent / 100)

const parts = (given: readonly number[]): readonly number[] => {
  const whole = given.reduce((sum, weight) => sum + weight, 0)
  return given.map((weight) => (whole === 0 ? 0 : weight / whole))
}
const whole = (list: readonly number[]) => list.map((weight) => ({ weight, stepsDone: STEPS }))

test('without either, weights stay as they are', () => {
  fc.assert(
    fc.property(weights, (list) => {
      assert.deepEqual(effectiveWeights(whole(list), 1), list)
    }),
    RUNS,
  )
})

test('nobody is above the bound, unless all are equal; who claims something gets something, the rest nothing', () => {
  fc.assert(
    fc.property(weights, most, (list, bound) => {
      const given = effectiveWeights(whole(list), bound)
      assert.deepEqual(
        given.map((weight) => weight > 0),
        list.map((weight) => weight > 0),
      )
      const claiming = list.filter((weight) => weight > 0).length
      for (const part of parts(given)) assert.ok(part <= Math.max(bound, 1 / claiming) + ROUNDING, `${given}`)
    }),
    RUNS,
  )
})

test('those below the bound share the rest as their weights say', () => {
  fc.assert(
    fc.property(weights, most, (list, bound) => {
      const given = parts(effectiveWeights(whole(list), bound))
      const limit = Math.max(bound, 1 / list.filter((weight) => weight > 0).length)
      const below = given.flatMap((part, i) => (part > 0 && part < limit - ROUNDING ? [part / list[i]!] : []))
      for (const each of below) assert.ok(Math.abs(each - below[0]!) * 256 < ROUNDING * 256, `${given}`)
    }),
    RUNS,
  )
})

test('the later in its slow start, the larger its part; at the end as if there had been none', () => {
  fc.assert(
    fc.property(weights, most, fc.nat(11), (list, bound, starting) => {
      const at = (stepsDone: number) =>
        parts(
          effectiveWeights(
            whole(list).map((claim, i) => (i === starting ? { ...claim, stepsDone } : claim)),
            bound,
          ),
        )
      const grown = Array.from({ length: STEPS + 1 }, (_, step) => at(step)[starting] ?? 0)
      for (const [i, part] of grown.entries())
        assert.ok(i === 0 || part >= grown[i - 1]! - ROUNDING, `${grown}`)
      assert.deepEqual(at(STEPS), parts(effectiveWeights(whole(list), bound)))
    }),
    RUNS,
  )
})

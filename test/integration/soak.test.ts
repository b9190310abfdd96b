/** What scripts/soak.sh does for an hour: mixed traffic while table, containers and config change. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { soak } from '../support/soak/soak.ts'

/** In its first minute a program has not all the memory that it will need. */
const MEMORY_TOLERANCE = 0.15

test('a minute of it: no request fails, each packet has one verdict, and nothing is left over', async () => {
  const problems = await soak({
    minutes: 0.75,
    fastpath: 'auto',
    memoryTolerance: MEMORY_TOLERANCE,
    tell: console.error,
  })
  assert.deepEqual(problems, [])
})

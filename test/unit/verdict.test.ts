import assert from 'node:assert/strict'
import test from 'node:test'
import { loadAddon } from '../../src/dataplane/addon.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'

test('both languages have the same verdicts and reasons in the same order', () => {
  assert.deepEqual(loadAddon().reasons, REASONS)
})

test('each verdict with its reason stands in the list once', () => {
  const pairs = REASONS.map((reason) => reason.join(' '))
  assert.deepEqual(pairs, [...new Set(pairs)])
})

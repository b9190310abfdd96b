/**
 * libFuzzer on the native engine, its decoder and what it hears of neighbours, with the address and the
 * undefined-behaviour sanitizer.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { describe, fuzz, pastFindings, replay, TARGETS, type Target } from '../support/fuzz/fuzzer.ts'

/** One minute in all; `scripts/fuzz.sh` takes longer. */
const SECONDS: Readonly<Record<Target, number>> = { pipeline: 40, snapshot: 10, netlink: 10 }
/** A thousand errors in a second are more than an execution sends; test/unit/engine.test.ts does. */
const OUT_OF_REACH = ['drop answer-limit']
/** A machine that is busy otherwise may need more of the same before every reason was met. */
const ROUNDS_AT_MOST = 5

/** `ONEHOP_SEED=n` repeats a run, as far as time allows. */
const seed = Number(process.env.ONEHOP_SEED ?? 1 + Math.floor(Math.random() * 2 ** 31))
const scratch = mkdtempSync(join(tmpdir(), 'onehop-fuzz-'))
after(() => rmSync(scratch, { recursive: true }))

for (const target of TARGETS) {
  const past = pastFindings(target)
  if (past.length > 0)
    test(`what broke the ${target} once does no longer`, async () =>
      assert.equal((await replay(target, past)).finding, undefined))

  test(`no input breaks the ${target} (seed ${seed})`, async () => {
    const kept = mkdtempSync(join(scratch, target))
    const reached = new Set(OUT_OF_REACH)
    let [round, unreached]: [number, readonly string[]] = [0, []]
    do {
      const result = await fuzz(target, kept, { seconds: SECONDS[target], seed: seed + round })
      const told = `ONEHOP_SEED=${seed + round}; the input is in native/fuzz/build/findings`
      assert.equal(result.finding, undefined, told)
      console.error(describe(target, result, SECONDS[target]))
      assert.ok(result.executions > 10_000, `only ${result.executions} executions`)
      for (const [reason, packets] of result.reasons) if (packets > 0) reached.add(reason)
      unreached = [...result.reasons.keys()].filter((reason) => !reached.has(reason))
    } while (unreached.length > 0 && ++round < ROUNDS_AT_MOST)
    assert.deepEqual(unreached, [])
  })
}

/** What is built in the fast path's place where clang or libbpf's headers are missing. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'

const PROGRAM = join(import.meta.dirname, '..', '..', 'native', 'build', 'Release', 'fastpath_absent')

test('without clang or libbpf, doctor and a daemon that opens the fast path hear why there is none', () => {
  const [problem, refusal] = execFileSync(PROGRAM, { encoding: 'utf8' }).split('\n')
  assert.match(problem!, /^not built: .*apt-get install clang libbpf-dev, then npm run build:native/)
  assert.equal(refusal, problem)
})

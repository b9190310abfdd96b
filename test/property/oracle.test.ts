import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { ENGINES } from '../../src/cli/offline.ts'
import { askKernel, seed } from '../support/oracle.ts'
import { replayCase } from '../support/replay-case.ts'

/**
 * The kernel as oracle: random requests and answers go through its NAT in a namespace, and the same input through each
 * engine. Bytes compare whole: kernel.py says why neither the identification nor the time to live is in the way.
 */
const FLOWS = 2000

let scratch = ''
let folder = ''
let packets = 0

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'onehop-oracle-'))
  folder = join(scratch, 'case')
  packets = await askKernel(folder, FLOWS)
})
after(() => rmSync(scratch, { recursive: true }))

test(`the kernel translated every packet that was sent (seed ${seed})`, () => {
  const verdicts = readFileSync(join(folder, 'verdicts.jsonl'), 'utf8').trim().split('\n')
  assert.equal(verdicts.length, packets)
})

for (const engine of ENGINES)
  test(`${engine} rewrites as the kernel's NAT does (seed ${seed})`, async () => {
    const differences = await replayCase(folder, engine)
    assert.equal(differences.slice(0, 20).join('\n'), '', `${differences.length} differences`)
  })

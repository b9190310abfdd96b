import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { ENGINES } from '../../src/cli/offline.ts'
import { CASE_FILES, replayCase } from '../support/replay-case.ts'

/** One folder a case; make.py tells where its expectations come from, about.md what it shows. */
const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort()

test('there are cases, and each has its expectations', () => {
  assert.notEqual(folders.length, 0)
  for (const folder of folders)
    for (const name of [...CASE_FILES, 'about.md']) {
      const path = join(import.meta.dirname, folder, name)
      assert.ok(existsSync(path) && statSync(path).size > 0, `${folder}/${name} is missing or empty`)
    }
})

for (const engine of ENGINES)
  for (const folder of folders)
    test(`${engine}: ${folder}`, async () => {
      const differences = await replayCase(join(import.meta.dirname, folder), engine)
      assert.equal(differences.join('\n'), '')
    })

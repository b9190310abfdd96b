import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach } from 'node:test'
import { runPython } from '../support/scapy.ts'

const HERE = import.meta.dirname
const MAKE = join(HERE, 'make.py')

let made = ''
beforeEach(() => {
  made = mkdtempSync(join(tmpdir(), 'onehop-vectors-'))
})
afterEach(() => rmSync(made, { recursive: true }))

test('scapy makes every folder again, byte for byte', async () => {
  await runPython(MAKE, ['--into', made], { network: false })
  assert.deepEqual(foldersOf(made), foldersOf(HERE))
  assertSameFiles(foldersOf(made))
})

test("the kernel's own NAT makes the same bytes of the same input", async () => {
  await runPython(MAKE, ['--kernel', '--into', made], { network: true })
  const folders = foldersOf(made)
  assert.ok(folders.length >= 50, `only ${folders.length} cases went through the kernel`)
  assertSameFiles(folders)
})

const foldersOf = (path: string): string[] =>
  readdirSync(path)
    .filter((name) => statSync(join(path, name)).isDirectory())
    .sort()

function assertSameFiles(folders: readonly string[]): void {
  for (const folder of folders) {
    assert.deepEqual(readdirSync(join(made, folder)), readdirSync(join(HERE, folder)), folder)
    for (const name of readdirSync(join(made, folder))) {
      const [now, committed] = [made, HERE].map((base) => readFileSync(join(base, folder, name)))
      assert.ok(now!.equals(committed!), `${folder}/${name} is not what is committed`)
    }
  }
}

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach } from 'node:test'
import { loadKey } from '../../src/key.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-key-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test("takes the config's key and makes no file", () => {
  const key = loadKey('000102030405060708090a0b0c0d0e0f', folder)
  assert.deepEqual([...key], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  assert.deepEqual(readdirSync(folder), [])
})

test('makes a key on first use and keeps it', () => {
  const state = join(folder, 'lib', 'onehop')
  const key = loadKey(undefined, state)
  assert.equal(key.length, 16)
  assert.deepEqual(loadKey(undefined, state), key)
  assert.deepEqual(readdirSync(state), ['key'])
  assert.equal(statSync(join(state, 'key')).mode & 0o777, 0o600)
})

test('makes another key in another folder', () =>
  assert.notDeepEqual(loadKey(undefined, join(folder, 'a')), loadKey(undefined, join(folder, 'b'))))

test('refuses a damaged key file and leaves it', () => {
  const path = join(folder, 'key')
  writeFileSync(path, 'deadbeef')
  assert.throws(() => loadKey(undefined, folder), {
    message: `${path}: expected 32 hexadecimal digits; remove it for a new key`,
  })
  assert.equal(readFileSync(path, 'utf8'), 'deadbeef')
})

test('says which file cannot be read or made, and why', () => {
  mkdirSync(join(folder, 'key'))
  assert.throws(() => loadKey(undefined, folder), { message: /\/key: read: EISDIR$/ })
  writeFileSync(join(folder, 'file'), '')
  assert.throws(() => loadKey(undefined, join(folder, 'file', 'x')), { message: /\/key: open: ENOTDIR$/ })
})

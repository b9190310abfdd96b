import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { loadAddon } from '../../src/dataplane/addon.ts'
import { lockStore, lockTun } from '../../src/lock.ts'

const tun = `t${process.pid}`

test('lets one daemon have a TUN, and the next one after it', async () => {
  const lock = await lockTun(tun)
  await assert.rejects(lockTun(tun), {
    code: 'E_NETWORK',
    message: `${tun}: another daemon, with pid ${process.pid}, is at work on this TUN interface; expected none (onehop status --tun ${tun} shows it)`,
  })
  await lock.release()
  await (await lockTun(tun)).release()
})

test('keeps different TUNs apart', async () => {
  const locks = await Promise.all([lockTun(`${tun}a`), lockTun(`${tun}b`)])
  for (const lock of locks) await lock.release()
})

test('lets one daemon have a store, whatever namespace it is in, and the next one after it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-lock-'))
  try {
    const path = join(folder, 'state', 'store')
    const { tryLock } = loadAddon()
    const lock = lockStore(path, tryLock)!
    const held = spawnSync('flock', ['--nonblock', `${path}.lock`, 'true'])
    assert.equal(held.status, 1)
    assert.throws(() => lockStore(path, tryLock), {
      code: 'E_SYSTEM',
      message: `${path}: another daemon, with pid ${process.pid}, keeps its table there; expected a folder for this one alone (--store)`,
    })
    lock.release()
    assert.equal(spawnSync('flock', ['--nonblock', `${path}.lock`, 'true']).status, 0)
    lockStore(path, tryLock)!.release()

    writeFileSync(join(folder, 'file'), '')
    assert.equal(lockStore(join(folder, 'file', 'store'), tryLock), undefined)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

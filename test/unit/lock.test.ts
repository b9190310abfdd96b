import assert from 'node:assert/strict'
import test from 'node:test'
import { lockTun } from '../../src/lock.ts'

const tun = `t${process.pid}`

test('lets one daemon have a TUN, and the next one after it', async () => {
  const lock = await lockTun(tun)
  await assert.rejects(lockTun(tun), {
    code: 'E_NETWORK',
    message: `${tun}: another daemon is at work on this TUN interface; expected none (onehop status --tun ${tun} shows it)`,
  })
  await lock.release()
  await (await lockTun(tun)).release()
})

test('keeps different TUNs apart', async () => {
  const locks = await Promise.all([lockTun(`${tun}a`), lockTun(`${tun}b`)])
  for (const lock of locks) await lock.release()
})

import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Namespace } from '../support/lab/namespace.ts'
import { Running, run } from '../support/lab/running.ts'
import { untilTrue } from '../support/lab/until.ts'
import { clientAddress, clientAddress6, Lab, withLab } from '../support/lab.ts'

const lab = await Lab.open()
after(() => lab.close())

for (const family of ['address', 'address6'] as const)
  test(`a client reaches a container's HTTP and UDP server by its ${family} and is seen with its own`, async () => {
    const agent = await lab.client.agent()
    for (const [i, container] of lab.containers.entries()) {
      const from = family === 'address' ? clientAddress(i + 300) : clientAddress6(i + 300)
      const host = family === 'address' ? container.address : `[${container.address6}]`
      const { peerPort: _, ...who } = await agent.who(`http://${host}:8080/`, { from })
      assert.deepEqual(who, { container: container.name, peer: from })
      const udp = await agent.udp(container[family], 5353, 'any bytes', { from })
      assert.deepEqual(udp, { address: container[family], port: 5353, payload: 'any bytes' })
      assert.deepEqual(
        container.log.slice(-2).map(({ protocol, peer }) => `${protocol} ${peer}`),
        [`http ${from}`, `udp ${from}`],
      )
    }
  })

test('a transfer compares equal both ways, and other bytes do not', async () => {
  const agent = await lab.client.agent()
  const url = `http://${lab.containers[0]!.address}:8080/bytes`
  const MANY = 5_000_001
  for (const transfer of [await agent.download(url, MANY), await agent.upload(url, MANY)])
    assert.deepEqual({ ...transfer, seconds: 0 }, { bytes: MANY, isEqual: true, seconds: 0 })
  const other = await agent.download(`http://${lab.containers[0]!.address}:8080/`, 100)
  assert.equal(other.isEqual, false)
})

test('a refused connection and a refused datagram say so', async () => {
  const agent = await lab.client.agent()
  const { address, address6 } = lab.containers[0]!
  for (const target of [address, address6]) {
    assert.equal(await agent.connect(target, 8080), 'open')
    assert.equal(await agent.connect(target, 9), 'ECONNREFUSED')
    await assert.rejects(agent.udp(target, 9, 'x'), { code: 'ECONNREFUSED' })
  }
})

test('a capture holds every packet until it is stopped', async () => {
  const capture = await lab.capture(lab.client, 'eth0', 'icmp')
  await lab.client.run(['ping', '-c', '50', '-i', '0.002', '-q', lab.containers[1]!.address])
  await capture.stop()
  const lines = await run(['tcpdump', '-n', '-r', capture.file])
  assert.equal(lines.trim().split('\n').length, 100)
})

test('two labs stand side by side', () =>
  withLab({ containers: 1 }, async (other) => {
    const url = `http://${other.containers[0]!.address}:8080/`
    await (await other.client.agent()).who(url)
    assert.equal(other.containers[0]!.log.length, 1)
    assert.notEqual(other.host.pid, lab.host.pid)
  }))

test('a command that fails rejects with what it printed', () =>
  assert.rejects(lab.host.run(['ip', 'link', 'show', 'none']), /exit 1\n.*Device "none" does not exist/))

test('nothing is left when its user throws', async () => {
  const seen: { namespaces: Namespace[]; folder: string } = { namespaces: [], folder: '' }
  const failing = withLab({ containers: 1 }, async (other) => {
    seen.namespaces = [other.client, other.host, other.containers[0]!.namespace]
    seen.folder = other.path('')
    throw new Error('on purpose')
  })
  await assert.rejects(failing, { message: 'on purpose' })
  assert.deepEqual(
    seen.namespaces.map(({ pid }) => isAlive(pid)),
    [false, false, false],
  )
  assert.equal(existsSync(seen.folder), false)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
  test(`nothing is left when ${signal} ends the process that made it`, async () => {
    const program = join(import.meta.dirname, 'open-lab.ts')
    const user = new Running([process.execPath, '--import', import.meta.resolve('tsx'), program])
    await user.until(({ lines }) => lines.length > 0, 'a lab')
    const { pids, folder } = JSON.parse(user.lines[0]!) as { pids: number[]; folder: string }
    assert.ok(pids.length === 5 && pids.every(isAlive) && existsSync(folder))
    assert.equal((await user.stop(signal)).signal, signal)
    await untilTrue(() => !pids.some(isAlive), 'all its processes are gone')
    // Nobody can tidy a file system after SIGKILL.
    if (signal === 'SIGKILL') rmSync(folder, { recursive: true })
    else assert.equal(existsSync(folder), false)
  })

/** A zombie, ended but not yet waited for, has left its namespaces already. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

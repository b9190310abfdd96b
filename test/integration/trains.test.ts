/**
 * UDP datagrams of one flow that wait in the TUN together leave as one packet, which the kernel takes apart again. So that
 * they do wait, the daemon stands still while they are sent.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES, type Family } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { badChecksums, dissect, goodChecksums } from '../support/lab/dissect.ts'
import type { Running } from '../support/lab/running.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, PUBLIC, PUBLIC6, UPLINK, withLab } from '../support/lab.ts'

const BURSTS = ['/usr/bin/python3', join(import.meta.dirname, '..', 'support', 'servers', 'bursts.py')]
/** The lab's service has it under the same number at the container. */
const PORT = '5201'
const FLOWS = 3
const [REQUESTS, ANSWERS] = [`udp.dstport == ${PORT}`, `udp.srcport == ${PORT}`]
const FROM_SERVICE = `(ip.src == ${PUBLIC} || ipv6.src == ${PUBLIC6})`

interface Exchanged {
  readonly sent: readonly (readonly string[])[]
  readonly back: readonly (readonly string[])[]
}

/** Everything there, and then everything back. */
async function exchange(lab: Lab, daemon: Daemon, { name, service, client }: Family): Promise<Exchanged> {
  const server = lab.containers[0]!.namespace.start([...BURSTS, 'serve', name.at(-1)!, PORT])
  await printed(server, 'listening')
  const asking = await halted(daemon, async () => {
    const started = lab.client.start([...BURSTS, 'ask', service, PORT, client(1)])
    await printed(started, 'sent')
    return started
  })
  await printed(server, 'all')
  await halted(daemon, async () => {
    server.child.stdin?.write('\n')
    await printed(server, 'back')
  })
  await asking.exited
  return JSON.parse(asking.lines[1] ?? 'null') as Exchanged
}

const printed = (running: Running, line: string): Promise<void> =>
  running.until(({ lines }) => lines.includes(line), line)

async function halted<Result>({ running }: Daemon, act: () => Promise<Result>): Promise<Result> {
  process.kill(running.pid, 'SIGSTOP')
  await untilTrue(() => statesOf(running.pid).every((state) => state === 'T'), 'all threads to stand still')
  try {
    return await act()
  } finally {
    process.kill(running.pid, 'SIGCONT')
  }
}

/** Of each thread, its letter of proc(5). */
const statesOf = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/task`).map(
    (thread) => /\) (\S)/.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))![1]!,
  )

/** The devices behind onehop leave nothing to the far ends: datagrams are single and their sums complete. */
async function takenApart(lab: Lab): Promise<void> {
  await lab.host.setOffload(lab.containers[0]!.port, { tx: false })
  await lab.host.setOffload(UPLINK, { tx: false })
}

for (const queues of [1, 2])
  test(`datagrams that wait together in ${queues} queues leave each as it was sent, in order, with right sums`, () =>
    withLab({ containers: 1 }, async (lab) => {
      await takenApart(lab)
      const daemon = await lab.startDaemon({
        config: { ...lab.config(), dataplane: { fastpath: 'off', queues } },
      })
      const [atUplink, atTun, atContainer] = [
        await lab.capture(lab.host, UPLINK, `udp port ${PORT}`),
        await lab.capture(lab.host, 'onehop0', `udp port ${PORT}`),
        await lab.capture(lab.host, lab.containers[0]!.port, `udp port ${PORT}`),
      ]
      let datagrams = 0
      for (const family of FAMILIES) {
        const { sent, back } = await exchange(lab, daemon, family)
        assert.deepEqual(back.map(sorted), sent.map(sorted), family.name)
        datagrams += sent.flat().length
      }
      const { io } = await daemon.status<Status>()
      assert.deepEqual([io.bridgeWrites, io.tunWrites], [datagrams, 0])
      assert.ok(io.joined > datagrams, `${io.joined} of twice ${datagrams} joined others`)
      await Promise.all([atUplink.stop(), atTun.stop(), atContainer.stop()])

      const requests = await payloads(atTun.file, REQUESTS, 'udp.srcport')
      assert.deepEqual(await payloads(atContainer.file, REQUESTS, 'udp.srcport'), requests)
      const answers = await payloads(atTun.file, `${ANSWERS} && !${FROM_SERVICE}`, 'udp.dstport')
      assert.deepEqual(await payloads(atTun.file, `${ANSWERS} && ${FROM_SERVICE}`, 'udp.dstport'), answers)
      assert.deepEqual([requests.size, answers.size], [FLOWS * FAMILIES.length, FLOWS * FAMILIES.length])
      assert.equal((await dissect(atContainer.file, REQUESTS, ['frame.number'])).length, datagrams)
      assert.equal((await dissect(atUplink.file, ANSWERS, ['frame.number'])).length, datagrams)
      assert.deepEqual(await badChecksums(atContainer.file, REQUESTS), [])
      assert.deepEqual(await badChecksums(atUplink.file, ANSWERS), [])
      assert.ok((await goodChecksums(atContainer.file)).udp! >= datagrams)
      await assertIdentifications(atUplink.file, atContainer.file)
      await daemon.stop()
    }))

const sorted = (payloads: readonly string[]): readonly string[] => payloads.toSorted()

/**
 * Of each flow, by its client's port, the payloads one behind the other, as they were read or written. Not as they arrive:
 * the kernel reorders what waited for a neighbour, and on a veth what a thread sent before and after it moved to another
 * processor.
 */
async function payloads(file: string, filter: string, port: string): Promise<ReadonlyMap<string, string>> {
  const flows = new Map<string, string>()
  for (const [flow, payload] of await dissect(file, filter, [port, 'udp.payload']))
    flows.set(flow!, `${flows.get(flow!) ?? ''}${payload}`)
  return flows
}

/** What may be fragmented keeps the identification that its sender gave it. */
async function assertIdentifications(uplink: string, container: string): Promise<void> {
  const cuttable = `ip && ${REQUESTS} && ip.flags.df == 0`
  const [sent, arrived] = await Promise.all(
    [uplink, container].map((file) => dissect(file, cuttable, ['ip.id', 'udp.length'])),
  )
  assert.ok(sent!.length > 0 && sent!.length * FLOWS < 2 * (await dissect(uplink, 'ip', ['ip.id'])).length)
  assert.deepEqual(arrived, sent)
}

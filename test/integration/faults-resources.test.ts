/** What the daemon lives on runs out: packets keep flowing, and no client moves. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { Visitors } from '../support/docker/visitors.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, PUBLIC, withLab } from '../support/lab.ts'

const CLIENTS = 24
const health = { type: 'tcp', interval: '20ms', timeout: '1s', rise: 1, fall: 2 }

const configOf = (lab: Lab) => {
  const { services, ...rest } = lab.config()
  return { ...rest, services: services.map((service) => ({ ...service, health })) }
}

/** Clients who ask all the time meet nothing of what happens meanwhile. */
async function assertUnnoticed(lab: Lab, what: string, happen: (visitors: Visitors) => Promise<void>) {
  const visitors = new Visitors(await lab.client.agent(), `http://${PUBLIC}/`, CLIENTS, 5_000)
  try {
    await visitors.untilEachServed(2)
    await happen(visitors)
    await visitors.untilEachServed(20)
  } finally {
    await visitors.stop()
  }
  console.error(
    `${what}: ${visitors.failures.length} of ${visitors.answers} requests failed, ${visitors.moves.length} moves`,
  )
  assert.deepEqual([visitors.failures, visitors.moves], [[], []])
}

const untilAnswering = (daemon: Daemon) =>
  untilTrue(async () => (await daemon.ask('status', '--json')).code === 0, 'the daemon answers')

/** Files and sockets that are open stay; of others the next one is one too many. */
async function leaveNoFile(lab: Lab, pid: number): Promise<void> {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = 0
  while (open.has(free)) free++
  await lab.host.run(['prlimit', `--pid=${pid}`, `--nofile=${free}:`])
}

test('no file can be opened: no container is taken to be down for it, and it is told', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    const { pid } = await daemon.status<Status>()
    const events = daemon.startAsking('events', '--type', 'problem')
    await events.until(({ stderr }) => stderr.includes('listening'), 'listening')
    await assertUnnoticed(lab, 'no file left', async (visitors) => {
      await leaveNoFile(lab, pid)
      await events.until(({ stdout }) => /cannot be made: EMFILE/.test(stdout), 'checks cannot be made')
      assert.notEqual((await daemon.ask('status')).code, 0)
      await visitors.untilEachServed(20)
      await lab.host.run(['prlimit', `--pid=${pid}`, '--nofile=1024:'])
      await events.until(({ stdout }) => stdout.split('EMFILE').length > 2, 'they can be made again')
    })
    assert.deepEqual((await daemon.status<Status>()).problems, [])
    assert.deepEqual(
      daemon.log.filter(({ msg }) => msg === 'container is down'),
      [],
    )
    await daemon.stop()
  }))

test('the log is read by nobody: packets flow, commands are answered, and the daemon ends when it is told', () =>
  withLab({}, async (lab) => {
    const pipe = lab.path('log')
    await lab.host.script(`mkfifo ${pipe}`)
    // Full from the start, and held open by who never reads.
    const stuck = `exec 3<>${pipe}; dd if=/dev/zero of=${pipe} bs=4096 oflag=nonblock 2>/dev/null || true; exec "$0" "$@" >&3`
    const flags = ['--log-level', 'debug']
    const daemon = lab.launchDaemon({ config: configOf(lab), flags, wrapper: ['sh', '-c', stuck] })
    await untilAnswering(daemon)
    await assertUnnoticed(lab, 'log stuck', async () => {
      for (let n = 0; n < 5; n++) {
        daemon.running.signal('SIGHUP')
        await untilAnswering(daemon)
      }
    })
    const toldMs = performance.now()
    assert.deepEqual(await daemon.running.stop('SIGTERM', 10_000), { code: 0, signal: null })
    console.error(`log stuck: ended ${Math.round(performance.now() - toldMs)} ms after SIGTERM`)
  }))

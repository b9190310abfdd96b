import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { PastExplanation } from '../../src/decisions/past.ts'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, withLab } from '../support/lab.ts'

const checkedConfig = (lab: Lab) => {
  const config = lab.config()
  const health = { type: 'http', interval: '100ms', timeout: '400ms', rise: 1, fall: 1 }
  return { ...config, services: config.services.map((service) => ({ ...service, health })) }
}

const start = async (lab: Lab, folder: string, ...flags: readonly string[]) => {
  const daemon = lab.launchDaemon({ config: checkedConfig(lab), flags }, folder)
  await daemon.untilReady()
  return daemon
}

async function past(daemon: Daemon, source: string, atMs: number, ...argv: readonly string[]) {
  const at = new Date(atMs).toISOString()
  const { code, stdout, stderr } = await daemon.ask('explain', source, '--at', at, '--json', ...argv)
  assert.deepEqual([code, stderr], [0, ''])
  const told = JSON.parse(stdout) as PastExplanation
  return { ...told.scopes[0]!, log: told.log, daemon: told.daemon }
}

const decisionsOf = async (daemon: Daemon) =>
  (await daemon.status<{ readonly decisions: { readonly state: string; readonly error?: string } }>())
    .decisions

for (const { name, url, client } of FAMILIES)
  test(`who served a client then: before and after its container died, over a restart, live and offline, ${name}`, () =>
    withLab({}, async (lab) => {
      const folder = lab.path('decisions')
      const agent = await lab.client.agent()
      const served = async (n: number) => (await agent.who(`${url}/`, { from: client(n) })).container
      const daemon = await start(lab, folder)
      const beganMs = Date.now()
      const first = await served(1)
      let told = await past(daemon, client(1), Date.now())
      await untilTrue(async () => {
        told = await past(daemon, client(1), Date.now())
        return told.known === 'log'
      }, 'the decision in the log')
      assert.deepEqual([told.container, told.origin, told.stood!.state], [first, 'assigned', 'ready'])
      const firstMs = Date.now()
      const [chosen] = (await past(daemon, client(1), beganMs)).would!
      assert.deepEqual([chosen!.reason, chosen!.container], ['chosen', first], 'before it had asked')

      lab.containers.find((one) => one.name === first)!.server.kill()
      await untilTrue(async () => {
        const { stdout } = await daemon.ask('containers', 'list', '--json')
        return JSON.parse(stdout).some((one: { state: string }) => one.state === 'down')
      }, 'a container that is down')
      const second = await served(1)
      assert.notEqual(second, first)
      await untilTrue(
        async () => (await past(daemon, client(1), Date.now())).container === second,
        'the move',
      )
      const secondMs = Date.now()
      const [other] = (await past(daemon, client(2), secondMs)).would!
      assert.equal(other!.container, await served(2), 'who had never asked, with one container down')
      await daemon.stop('SIGKILL')

      const next = await start(lab, folder)
      const [then, later] = [await past(next, client(1), firstMs), await past(next, client(1), secondMs)]
      assert.deepEqual(
        [then.container, then.end, then.next, then.stood!.state],
        [first, 'moved', second, 'ready'],
      )
      assert.deepEqual([later.container, later.since], [second, then.until])
      assert.deepEqual([later.from!.container, later.from!.state, later.from!.by], [first, 'down', 'health'])
      assert.equal(later.from!.why, 'ECONNREFUSED')
      assert.ok(Date.parse(then.since!) >= beganMs - 1_000 && Date.parse(then.since!) <= firstMs)
      assert.equal((await past(next, client(9), secondMs)).known, 'no')
      assert.equal((await past(next, client(1), beganMs - 3_600_000)).known, 'unlogged')
      const text = (await next.ask('explain', client(1), '--at', new Date(secondMs).toISOString())).stdout
      assert.match(
        text,
        new RegExp(`In web: it went to ${second}, since .*, for the algorithm had chosen it`),
      )
      assert.match(text, new RegExp(`It had been at ${first}, down since .* \\(health: ECONNREFUSED\\)`))

      const wrong = await next.ask('explain', client(1), '--at', '2999-01-01T00:00:00Z')
      assert.deepEqual([wrong.code, /expected a moment that is past/.test(wrong.stderr)], [2, true])
      const stopped = await next.stop()
      assert.equal(stopped.code, 0)
      const store = join(folder, 'state', 'onehop0.store')
      const offline = await past(next, client(1), firstMs, '--store', store)
      assert.deepEqual([offline.container, offline.until], [first, then.until])

      const log = `${store}.decisions`
      const oldest = join(log, readdirSync(log).sort()[0]!)
      const bytes = readFileSync(oldest)
      writeFileSync(oldest, bytes.fill(0x58, 100, 200))
      const damaged = await past(next, client(1), secondMs, '--store', store)
      assert.ok(damaged.log.damaged > 0)

      const off = await start(lab, folder, '--store', 'off')
      const refused = await off.ask('explain', client(1), '--at', '-1s')
      assert.match(refused.stderr, /no log of decisions: it is off \(decisions: off, or store: off\)/)
      await off.stop()
    }))

test('a full disk is told, and the log is written again when there is room; clients are served meanwhile', () =>
  withLab({ containers: 1 }, async (lab) => {
    const folder = lab.path('full')
    const disk = lab.path('disk')
    mkdirSync(disk)
    const { url, client } = FAMILIES[0]!
    const wrapper = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      `mount -t tmpfs -o size=4m none ${disk}; exec "$@"`,
      'sh',
    ]
    const config = { ...lab.config(), store: `${disk}/store` }
    const daemon = lab.launchDaemon({ config, wrapper }, folder)
    await daemon.untilReady()
    const { pid } = await daemon.status<{ readonly pid: number }>()
    const inside = (...argv: readonly string[]) =>
      lab.host.attempt(['nsenter', '--target', String(pid), '--mount', ...argv])
    await inside('dd', 'if=/dev/zero', `of=${disk}/fill`, 'bs=1k')
    const agent = await lab.client.agent()
    assert.equal((await agent.who(`${url}/`, { from: client(1) })).container, 'c1')
    const rows = Array.from({ length: 10_000 }, (_, n) => `web,10.${n >> 16}.${(n >> 8) & 255}.${n & 255},c1`)
    writeFileSync(lab.path('many.csv'), ['scope,source,container', ...rows, ''].join('\n'))
    assert.equal((await daemon.ask('table', 'import', lab.path('many.csv'))).code, 0)
    await untilTrue(async () => (await decisionsOf(daemon)).state === 'failing', 'a log that says so')
    assert.match((await decisionsOf(daemon)).error!, /ENOSPC/)
    await inside('rm', `${disk}/fill`)
    await untilTrue(
      async () => (await decisionsOf(daemon)).state === 'current',
      'a log that is written again',
    )
    await agent.who(`${url}/`, { from: client(1) })
    await untilTrue(
      async () => (await past(daemon, client(1), Date.now())).container === 'c1',
      'the decision in the log',
    )
    await daemon.stop()
  }))

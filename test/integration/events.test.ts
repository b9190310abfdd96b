import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, UPLINK, withLab } from '../support/lab.ts'

type Fields = Readonly<Record<string, unknown>>

const { url, client } = FAMILIES[0]!

function listen(daemon: Daemon, ...argv: readonly string[]) {
  const running = daemon.startAsking('events', '--json', ...argv)
  const events = () => running.lines.map((line) => JSON.parse(line) as Fields & { id: number; at: string })
  const find = (wanted: Fields) =>
    events().find((event) => Object.entries(wanted).every(([key, value]) => event[key] === value))
  return {
    running,
    events,
    ready: () => running.until(({ stderr }) => stderr.includes('listening'), 'listening'),
    until: async (wanted: Fields) => {
      await running.until(() => find(wanted) !== undefined, JSON.stringify(wanted))
      return find(wanted)!
    },
  }
}

const checkedConfig = (lab: Lab) => {
  const config = lab.config()
  const health = { type: 'http', interval: '100ms', timeout: '400ms', rise: 1, fall: 1 }
  return { ...config, services: config.services.map((service) => ({ ...service, health })) }
}

test('what happens to clients, containers, config and links is told as it happens, to whoever asked for it', () =>
  withLab({}, async (lab) => {
    await lab.host.run(['ip', 'link', 'add', 'spare0', 'type', 'veth', 'peer', 'spare1'])
    const config = checkedConfig(lab)
    const interfaces = { ...config.interfaces, uplinks: [UPLINK, 'spare0'] }
    const daemon = await lab.startDaemon({ config: { ...config, interfaces } })
    const all = listen(daemon)
    const mine = listen(daemon, '--source', client(1))
    const containers = listen(daemon, '--type', 'container,config')
    await Promise.all([all.ready(), mine.ready(), containers.ready()])
    const agent = await lab.client.agent()
    const served = async (n: number) => (await agent.who(`${url}/`, { from: client(n) })).container

    const first = await served(1)
    await served(2)
    await served(3)
    const made = await mine.until({ type: 'table', change: 'made', source: client(1) })
    assert.deepEqual([made.container, made.scope, made.origin], [first, 'web', 'assigned'])
    await all.until({ change: 'made', source: client(2) })

    lab.containers.find(({ name }) => name === first)!.server.kill()
    const down = await containers.until({ change: 'down', container: first })
    assert.deepEqual(
      [down.from, down.by, down.why, down.services],
      ['ready', 'health', 'ECONNREFUSED', ['web']],
    )
    const second = await served(1)
    const moved = await mine.until({ change: 'moved', source: client(1) })
    assert.deepEqual([moved.from, moved.container], [first, second])

    await daemon.ask('containers', 'drain', second)
    const drained = await containers.until({ change: 'draining', container: second })
    assert.deepEqual([drained.by, drained.from], ['operator', 'ready'])
    await daemon.ask('table', 'pin', client(1), second, '--service', 'web')
    await mine.until({ type: 'pin', change: 'pinned', source: client(1), container: second })
    await served(1)
    const repinned = await mine.until({ type: 'table', change: 'repinned' })
    assert.equal(repinned.origin, 'pinned')
    await daemon.ask('table', 'forget', '--prefix', `${client(1)}/32`, '--service', 'web')
    await mine.until({ type: 'table', change: 'forgotten', from: second })

    await lab.host.run(['ip', 'link', 'del', 'spare0'])
    await all.until({ type: 'link', change: 'gone', link: 'spare0' })

    daemon.writeConfig('version: 2')
    daemon.running.signal('SIGHUP')
    const refused = await containers.until({ type: 'config', change: 'refused' })
    assert.match(String(refused.error), /version: 2; expected 1/)
    const [web] = config.services
    const shop = {
      ...web,
      name: 'shop',
      addresses: ['203.0.113.77'],
      containers: web!.containers.slice(0, 2),
    }
    daemon.writeConfig({ ...config, services: [web, shop] })
    daemon.running.signal('SIGHUP')
    await containers.until({ type: 'config', change: 'reloaded', services: 2 })
    await all.until({ type: 'service', change: 'added', service: 'shop' })

    for (const { events } of [mine, containers]) {
      assert.ok(events().every(({ type }) => type !== 'link' && type !== 'fastpath'))
      const ids = events().map(({ id }) => id)
      assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
      )
    }
    assert.ok(mine.events().every(({ source }) => source === client(1)))
    for (const { running } of [all, mine, containers])
      assert.deepEqual(await running.stop('SIGINT'), { code: 0, signal: null })
    await daemon.stop()
  }))

test('a reader outlives the daemon, and learns that he has missed something', () =>
  withLab({ containers: 1 }, async (lab) => {
    const folder = lab.path('restarted')
    const launch = async () => {
      const daemon = lab.launchDaemon({ config: lab.config() }, folder)
      await daemon.untilReady()
      return daemon
    }
    const first = await launch()
    const reader = listen(first)
    await reader.ready()
    await first.ask('containers', 'weight', 'c1', '7')
    const weighed = await reader.until({ change: 'weight', container: 'c1' })
    const past = listen(first, '--since', String(weighed.id - 1))
    assert.deepEqual(await past.until({ id: weighed.id }), weighed)
    await past.running.stop('SIGTERM')
    await first.stop('SIGKILL')
    const second = await launch()
    await reader.until({ type: 'gap' })
    const started = await reader.until({ type: 'config', change: 'started' })
    assert.ok(started.id > weighed.id)
    await untilTrue(() => reader.running.stderr.split('listening').length === 3, 'listening again')
    await reader.running.stop('SIGINT')

    const closed = second.commandLine('events').join(' ')
    const piped = lab.host.start(['sh', '-c', `${closed} --since 1 | head -1`])
    await piped.until(({ lines }) => lines.length > 0, 'a line')
    assert.match(piped.lines[0]!, /gap/)
    await second.ask('containers', 'weight', 'c1', '8')
    await second.ask('containers', 'weight', 'c1', '9')
    assert.equal((await piped.exited).code, 0)
    await second.stop()
  }))

import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { formatAddress } from '../../src/address.ts'
import type { DockerConfig } from '../../src/config/sources.ts'
import { signalNumber } from '../../src/discovery/docker/container.ts'
import { negotiate } from '../../src/discovery/docker/engine.ts'
import { openDocker } from '../../src/discovery/docker.ts'
import type { Discovered, Listing } from '../../src/discovery/source.ts'
import { FakeEngine } from '../support/docker/fake-engine.ts'
import { untilTrue } from '../support/lab/until.ts'

const WEB = { tier: 'web' }
const SIGTERM = 15
const SIGQUIT = 3
const SIGKILL = 9

/** A source on a fake engine, and what it has told. */
class World {
  readonly lists: Listing[] = []
  readonly failures: string[] = []

  private constructor(readonly engine: FakeEngine) {}

  static async open(
    t: TestContext,
    settings: Partial<DockerConfig> = {},
    prepare: (engine: FakeEngine) => void = () => {},
  ): Promise<World> {
    const engine = new FakeEngine()
    prepare(engine)
    const world = new World(engine)
    const asked = { labels: ['tier=web'], network: undefined, port: undefined, ...settings }
    if (settings.socket === undefined) await engine.start()
    const source = openDocker({ socket: engine.socket, ...asked } as DockerConfig, {
      list: (listing) => world.lists.push(listing),
      fail: (message) => world.failures.push(message),
    })
    t.after(async () => {
      source.close()
      await engine.close()
    })
    return world
  }

  get last(): Listing {
    return this.lists.at(-1) ?? { items: [], problems: [] }
  }

  /** `name state address`, in the order of names. */
  get shown(): readonly string[] {
    return this.last.items
      .map(
        ({ name, state, address }) =>
          `${name} ${state} ${address === undefined ? '-' : formatAddress(address)}`,
      )
      .sort()
  }

  until(wanted: readonly string[]): Promise<void> {
    return untilTrue(
      () => isEqual(this.shown, wanted) && this.lists.length > 0,
      `${wanted}; is ${this.shown}`,
      5_000,
    )
  }

  untilProblem(pattern: RegExp): Promise<void> {
    return untilTrue(
      () => this.last.problems.some((problem) => pattern.test(problem)),
      String(pattern),
      5_000,
    )
  }
}

const isEqual = (a: readonly string[], b: readonly string[]) => JSON.stringify(a) === JSON.stringify(b)
const on = (v4: string, v6?: string) => ({ bridge: { v4, ...(v6 === undefined ? {} : { v6 }) } })

test('running containers with the label are listed, with both addresses and their bridge; others are not', async (t) => {
  const world = await World.open(t, {}, (engine) => {
    engine.run('web-1', { labels: WEB, networks: on('172.17.0.2', 'fd17::2') })
    engine.run('db', { labels: { tier: 'db' }, networks: on('172.17.0.3') })
    engine.run('web-2', { labels: WEB, networks: on('172.17.0.4') })
    engine.run('gone', { labels: WEB, networks: on('172.17.0.5') })
    engine.die('gone')
  })
  await world.until(['web-1 ready 172.17.0.2', 'web-2 ready 172.17.0.4'])
  const found = world.last.items.find(({ name }) => name === 'web-1') as Discovered
  assert.equal(found.bridge, 'docker0')
  assert.equal(formatAddress(found.address6!), 'fd17::2')
  assert.deepEqual(world.last.problems, [])
})

test('start, die, rename and network changes are followed', async (t) => {
  const world = await World.open(t)
  await world.until([])
  world.engine.run('web-1', { labels: WEB, networks: on('172.17.0.2') })
  await world.until(['web-1 ready 172.17.0.2'])
  world.engine.rename('web-1', 'web-a')
  await world.until(['web-a ready 172.17.0.2'])
  world.engine.connect('web-a', 'front', { v4: '172.20.0.2' })
  await world.untilProblem(/^container "web-a": its networks are "bridge", "front"; expected one alone/)
  world.engine.disconnect('web-a', 'bridge')
  await world.until(['web-a ready 172.20.0.2'])
  assert.match(world.last.items[0]!.bridge!, /^br-[0-9a-f]{12}$/)
  world.engine.die('web-a')
  await world.until([])
})

test('pause and health decide the state: starting gets no new clients, unhealthy and paused none', async (t) => {
  const world = await World.open(t)
  world.engine.run('web-1', { labels: WEB, networks: on('172.17.0.2'), health: 'starting' })
  await world.until(['web-1 draining 172.17.0.2'])
  world.engine.turn('web-1', 'healthy')
  await world.until(['web-1 ready 172.17.0.2'])
  world.engine.turn('web-1', 'unhealthy')
  await world.until(['web-1 down 172.17.0.2'])
  world.engine.turn('web-1', 'healthy')
  await world.until(['web-1 ready 172.17.0.2'])
  world.engine.pause('web-1')
  await world.until(['web-1 down 172.17.0.2'])
  world.engine.unpause('web-1')
  await world.until(['web-1 ready 172.17.0.2'])
})

test('the stop signal drains, another signal does nothing, SIGKILL is down; a restart is as new', async (t) => {
  const world = await World.open(t, {}, (engine) => {
    engine.run('web-1', { labels: WEB, networks: on('172.17.0.2') })
    engine.run('web-2', { labels: WEB, networks: on('172.17.0.3'), stopSignal: 'SIGQUIT' })
  })
  await world.until(['web-1 ready 172.17.0.2', 'web-2 ready 172.17.0.3'])
  world.engine.kill('web-2', SIGTERM)
  world.engine.kill('web-1', SIGTERM)
  await world.until(['web-1 draining 172.17.0.2', 'web-2 ready 172.17.0.3'])
  world.engine.kill('web-2', SIGQUIT)
  await world.until(['web-1 draining 172.17.0.2', 'web-2 draining 172.17.0.3'])
  world.engine.kill('web-1', SIGKILL)
  await world.until(['web-1 down 172.17.0.2', 'web-2 draining 172.17.0.3'])
  world.engine.die('web-1')
  await world.until(['web-2 draining 172.17.0.3'])
  world.engine.run('web-1', { labels: WEB, networks: on('172.17.0.9') })
  await world.until(['web-1 ready 172.17.0.9', 'web-2 draining 172.17.0.3'])
})

test('what an event says is in force before the engine has answered anything about it', async (t) => {
  const world = await World.open(t, {}, (engine) => {
    engine.run('web-1', { labels: WEB, networks: on('172.17.0.2') })
  })
  await world.until(['web-1 ready 172.17.0.2'])
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  world.engine.onAsk = () => held
  world.engine.die('web-1')
  await world.until([])
  release()
})

test('a reading that something overtook is thrown away', async (t) => {
  const world = await World.open(t)
  await world.until([])
  const paths: string[] = []
  world.engine.onAsk = (path) => {
    paths.push(path)
    if (paths.length === 1) world.engine.connect('web-1', 'front', { v4: '172.20.0.2' })
  }
  world.engine.run('web-1', { labels: WEB, networks: {} })
  await world.until(['web-1 ready 172.20.0.2'])
  assert.ok(!world.lists.some(({ problems }) => problems.length > 0), 'never told without a network')
})

test('a lost connection keeps the list, says so, and ends in a full reading', async (t) => {
  const world = await World.open(t, {}, (engine) => {
    engine.run('web-1', { labels: WEB, networks: on('172.17.0.2') })
    engine.run('web-2', { labels: WEB, networks: on('172.17.0.3') })
  })
  await world.until(['web-1 ready 172.17.0.2', 'web-2 ready 172.17.0.3'])
  const told = world.lists.length
  await world.engine.stop()
  await untilTrue(() => world.failures.length > 0, 'a failure', 5_000)
  world.engine.die('web-1')
  world.engine.run('web-3', { labels: WEB, networks: on('172.17.0.4') })
  assert.equal(world.lists.length, told)
  await world.engine.start()
  await world.until(['web-2 ready 172.17.0.3', 'web-3 ready 172.17.0.4'])
  assert.equal(world.lists.length, told + 1, 'one whole list, none in parts')
})

test('an engine that is not there, too old, or no engine at all is named', async (t) => {
  const absent = await World.open(t, { socket: '/tmp/onehop-no-such.sock' })
  await untilTrue(() => absent.failures.length > 0, 'a failure', 5_000)
  assert.equal(
    absent.failures[0],
    '/tmp/onehop-no-such.sock: ENOENT; expected a Docker Engine that listens there',
  )
  const old = await World.open(t, {}, (engine) => {
    engine.version = { ApiVersion: '1.18', MinAPIVersion: '1.12' }
  })
  await untilTrue(() => old.failures.length > 0, 'a failure', 5_000)
  assert.equal(old.failures[0], 'Docker Engine with API 1.12 to 1.18; expected one of 1.24 to 1.52')
  const other = await World.open(t, {}, (engine) => {
    engine.version = {} as never
  })
  await untilTrue(() => other.failures.length > 0, 'a failure', 5_000)
  assert.match(other.failures[0]!, /^GET \/version: not what a Docker Engine answers \(ApiVersion: /)
})

test('the newest API that both know is spoken', async (t) => {
  assert.equal(negotiate('1.12', '1.41'), '1.41')
  assert.equal(negotiate('1.44', '1.60'), '1.52')
  assert.throws(() => negotiate('1.53', '1.60'), /API 1\.53 to 1\.60; expected one of 1\.24 to 1\.52/)
  const world = await World.open(t)
  await world.until([])
  assert.ok(world.engine.asked.includes('/v1.41/events'))
})

test('health checks of containers are not asked for, and cost nothing', async (t) => {
  const world = await World.open(t, {}, (engine) => {
    engine.run('web-1', { labels: WEB, networks: on('172.17.0.2') })
  })
  await world.until(['web-1 ready 172.17.0.2'])
  const asked = world.engine.asked.length
  world.engine.exec('web-1')
  world.engine.pause('web-1')
  await world.until(['web-1 down 172.17.0.2'])
  await untilTrue(() => world.engine.asked.length > asked, 'the pause is looked at', 5_000)
  world.engine.unpause('web-1')
  await world.until(['web-1 ready 172.17.0.2'])
  assert.equal(world.engine.asked.length, asked + 2)
})

test('a network named, a weight, and a port are taken; what cannot be served says why', async (t) => {
  const world = await World.open(t, { network: 'front', port: 8081 }, (engine) => {
    engine.addNetwork('lan', 'macvlan')
    engine.run('web-1', {
      labels: { ...WEB, 'onehop.weight': '7' },
      networks: { front: { v4: '172.20.0.2' }, ...on('172.17.0.2') },
    })
    engine.run('web-2', { labels: WEB, networks: on('172.17.0.3') })
    engine.run('web-3', {
      labels: { ...WEB, 'onehop.weight': '300' },
      networks: { front: { v4: '172.20.0.4' } },
    })
    engine.run('web-4', { labels: WEB, networks: { front: {} } })
  })
  await world.until(['web-1 ready 172.20.0.2'])
  const [found] = world.last.items
  assert.deepEqual([found!.weight, found!.port], [7, 8081])
  assert.deepEqual([...world.last.problems].sort(), [
    'container "web-2": its networks are "bridge"; expected "front"',
    'container "web-3": label onehop.weight: "300"; expected a whole number from 0 to 256',
    'container "web-4": no address on its network "front"; expected one',
  ])
})

test('a network without a bridge is refused', async (t) => {
  const world = await World.open(t, {}, (engine) => {
    engine.addNetwork('lan', 'macvlan')
    engine.run('web-1', { labels: WEB, networks: { lan: { v4: '192.0.2.2' } } })
  })
  await world.untilProblem(/^container "web-1": network "lan" has the driver "macvlan"; expected bridge$/)
})

test('signals by name and number', () => {
  assert.deepEqual(['SIGTERM', 'term', '15', 'SIGQUIT', 'SIGRTMIN+3'].map(signalNumber), [15, 15, 15, 3, 0])
})

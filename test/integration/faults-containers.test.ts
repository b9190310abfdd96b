/** Containers that die, freeze, flap, go and come back: what their clients and everybody else's notice. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import type { Standing } from '../../src/containers/container-list.ts'
import { FakeEngine } from '../support/docker/fake-engine.ts'
import { Visitors } from '../support/docker/visitors.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, type Container, clientAddress, Lab, PUBLIC, startServer } from '../support/lab.ts'
import { readMetrics } from '../support/metrics.ts'

const CLIENTS = 24
const PATIENCE_MS = 1_500
const METRICS = '127.0.0.1:9464'
const DAMPING = { turns: 3, halfLife: '1s' }
/** One failure is down and one answer up, so that whatever keeps a flapping container from its clients is the damping. */
const health = { type: 'http', interval: '20ms', timeout: '1s', rise: 1, fall: 1 }
const PORTS = { http: [8080], udp: [5353] }
const FLAPPING = join(import.meta.dirname, '..', 'support', 'servers', 'flapping.py')

const lab = await Lab.open({ containers: 4 })
after(() => lab.close())
const agent = await lab.client.agent()
const servers = new Map(lab.containers.map(({ name, server }) => [name, server]))
await Promise.all(
  lab.containers.map(({ namespace }) =>
    namespace.script(`
      nft add table ip seen
      nft add chain ip seen in '{ type filter hook prerouting priority -400; }'
      nft add rule ip seen in ip saddr 198.19.0.0/16 counter`),
  ),
)

/** Packets of clients that the container's own kernel has seen. */
async function seenBy({ namespace }: Container): Promise<number> {
  const [, packets] = /counter packets (\d+)/.exec(
    await namespace.run(['nft', 'list', 'table', 'ip', 'seen']),
  )!
  return Number(packets)
}

const stateOf = async (daemon: Daemon, name: string) =>
  (await daemon.status<Status>()).containers.find((one) => one.name === name)!.state
const untilState = (daemon: Daemon, state: string, ...names: readonly string[]) =>
  untilTrue(async () => {
    const { containers } = await daemon.status<Status>()
    return containers.every((one) => !names.includes(one.name) || one.state === state)
  }, `${names} ${state}`)

/** Who answers the next datagram of each client from number `first` on. */
const asked = async (first = 0) =>
  Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const options = { from: clientAddress(first + n), timeoutMs: 5_000 }
      const { payload } = await agent.udp(PUBLIC, 53, 'who?', options)
      return (JSON.parse(payload) as { container: string }).container
    }),
  )

/** While clients ask over and over. */
async function withVisitors(use: (visitors: Visitors) => Promise<void>): Promise<Visitors> {
  const visitors = new Visitors(agent, `http://${PUBLIC}/`, CLIENTS, PATIENCE_MS)
  try {
    await visitors.untilEachServed(2)
    await use(visitors)
  } finally {
    await visitors.stop()
  }
  return visitors
}

/** Ends one container and holds against it what its clients, others' and its own kernel see, until it is back. */
async function lose(daemon: Daemon, lost: Container, how: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  const before = await asked()
  const own = before.filter((name) => name === lost.name).length
  assert.ok(own > 0, `nobody is served by ${lost.name}`)
  let [endedMs, knownMs, seen, seenLater] = [0, 0, 0, 0]
  let now = before
  const visitors = await withVisitors(async (visitors) => {
    const logged = daemon.log.length
    const isKnown = () =>
      daemon.log
        .slice(logged)
        .some(({ msg, container }) => msg === 'container is down' && container === lost.name)
    endedMs = performance.now()
    servers.get(lost.name)!.signal(how)
    await daemon.running.until(isKnown, `${lost.name} is known to be down`)
    knownMs = performance.now()
    seen = await seenBy(lost)
    now = await asked()
    await visitors.untilEachServed(5)
    seenLater = await seenBy(lost)
  })

  assert.deepEqual(
    now.map((name, n) => (before[n] === lost.name ? name !== lost.name : name === before[n])),
    before.map(() => true),
    'the datagrams after it was known are answered by others, those of other clients where they were',
  )
  assert.deepEqual(
    [...new Set(visitors.moves.map(({ from }) => from))],
    [lost.name],
    'only its own clients moved',
  )
  const others = visitors.failures.filter(({ container }) => container !== lost.name)
  assert.deepEqual(others, [], 'no other client noticed')
  // A request that hangs since before gives up later.
  const late = visitors.failures.filter(({ atMs }) => atMs > knownMs + PATIENCE_MS)
  assert.deepEqual(late, [])
  assert.equal(seenLater, seen, 'no packet went to a container that is known to be down')
  console.error(
    `${how}: known after ${Math.round(knownMs - endedMs)} ms; ${own} of ${CLIENTS} clients moved, ` +
      `${visitors.failures.length} requests failed before that, none of ${visitors.answers} of others; 0 packets to it`,
  )
  if (how === 'SIGSTOP') servers.get(lost.name)!.signal('SIGCONT')
  else servers.set(lost.name, startServer(lost.namespace, PORTS))
  await untilState(daemon, 'ready', lost.name)
}

/** The first container flaps ten times a second. */
async function flap(daemon: Daemon): Promise<void> {
  const [flapping] = lab.containers as [Container]
  await withVisitors(async (visitors) => {
    await servers.get(flapping.name)!.stop('SIGKILL')
    const logged = daemon.log.length
    const own = (message: RegExp) =>
      daemon.log
        .slice(logged)
        .filter(({ msg, container }) => container === flapping.name && message.test(msg))
    const program = flapping.namespace.start(['/usr/bin/python3', FLAPPING, flapping.name, '8080', '0.05'])
    await daemon.running.until(() => own(/is flapping/).length > 0, 'it is held back')
    const heldMs = performance.now()
    await visitors.untilEachServed(2)
    const seen = await seenBy(flapping)
    const turns = own(/is down/).length
    const { length: moves } = visitors.moves

    // While it goes on, for longer than it is held back at first.
    await untilTrue(() => performance.now() > heldMs + 2_000, 'two seconds')
    assert.equal(visitors.moves.length, moves, 'nobody moves while it is held back')
    assert.equal(await seenBy(flapping), seen, 'it gets no packet of a client')
    assert.ok(visitors.moves.every(({ from, to }) => from === flapping.name || to === flapping.name))
    const late = visitors.failures.filter(({ atMs }) => atMs > heldMs + PATIENCE_MS)
    assert.deepEqual(late, [])
    assert.ok(turns <= DAMPING.turns, `${turns} turns before it is held back`)
    assert.equal(own(/is down/).length, turns, 'the log is quiet')
    await assertShown(daemon, flapping.name)
    console.error(
      `flapping 10 times a second: held back after ${turns} turns; ${moves} moves until then, none in 2 s after; ` +
        `${visitors.failures.length} of ${visitors.answers + visitors.failures.length} requests failed, all before`,
    )

    await program.stop('SIGKILL')
    servers.set(flapping.name, startServer(flapping.namespace, PORTS))
    const mendedMs = performance.now()
    await daemon.running.until(() => own(/no longer flapping/).length > 0, 'let go')
    await untilState(daemon, 'ready', flapping.name)
    console.error(`used again ${Math.round(performance.now() - mendedMs)} ms after it was mended`)
    await visitors.untilEachServed(2)
  })
}

/** In the container list, in an explanation, in the metrics. */
async function assertShown(daemon: Daemon, name: string): Promise<void> {
  const { stdout } = await daemon.ask('containers', 'list', '--json')
  const standing = (JSON.parse(stdout) as Standing[]).find(({ container }) => container === name)!
  assert.deepEqual([standing.state, standing.reason], ['down', 'flapping'])
  assert.ok(standing.leftSeconds! >= 0 && standing.leftSeconds! <= 3, String(standing.leftSeconds))
  const explained = await daemon.ask('explain', clientAddress(0), '--port', '80/tcp')
  assert.match(
    explained.stdout,
    new RegExp(`${name} \\(10\\.77\\.0\\.11; down for \\d+ s, says its flapping\\)`),
  )
  const metrics = readMetrics(await lab.host.run(['curl', '-sS', '--fail', `http://${METRICS}/metrics`]))
  assert.equal(metrics.get('onehop_flapping_containers'), 1)
}

/** All of them go, and come back. */
async function empty(daemon: Daemon): Promise<void> {
  const names = lab.containers.map(({ name }) => name)
  for (const name of names) servers.get(name)!.signal('SIGKILL')
  await untilState(daemon, 'down', ...names)
  const seen = await Promise.all(lab.containers.map(seenBy))
  assert.equal(await agent.connect(PUBLIC, 80, { from: clientAddress(1) }), 'ECONNREFUSED')
  await assert.rejects(agent.udp(PUBLIC, 53, 'who?', { from: clientAddress(1) }), { code: 'ECONNREFUSED' })
  assert.deepEqual(await Promise.all(lab.containers.map(seenBy)), seen)
  const backMs = performance.now()
  for (const { name, namespace } of lab.containers) servers.set(name, startServer(namespace, PORTS))
  await untilState(daemon, 'ready', ...names)
  const readyMs = performance.now()
  const [before, now] = [await asked(), await asked()]
  assert.deepEqual(now, before, 'each client has one container again')
  assert.equal(new Set(await asked(1_000)).size, names.length, 'all of them get new ones')
  console.error(
    `all gone: refused at once; all back: ${Math.round(readyMs - backMs)} ms after their start, with theirs, all ready`,
  )
}

for (const fastpath of ['auto', 'off'] as const)
  test(`fastpath: ${fastpath}`, async (t) => {
    const { services, ...rest } = lab.config()
    const config = { ...rest, dataplane: { fastpath }, damping: DAMPING, metrics: METRICS }
    const checked = services.map((service) => ({ ...service, health }))
    const daemon = await lab.startDaemon({ config: { ...config, services: checked } })
    const [first, second] = lab.containers.slice(1) as [Container, Container]
    await t.test('killed: only its own clients move', () => lose(daemon, first, 'SIGKILL'))
    await t.test('frozen: it accepts and never answers; only its own clients move', () =>
      lose(daemon, second, 'SIGSTOP'),
    )
    await t.test('flapping: it is held back', () => flap(daemon))
    await t.test('all gone, all back', () => empty(daemon))
    await daemon.stop()
  })

test('a crash loop that its source tells of is held back, too', async (t) => {
  const engine = await new FakeEngine().start()
  t.after(() => engine.close())
  engine.addNetwork('lab', 'bridge', BRIDGE)
  const labels = { tier: 'web' }
  const run = ({ name, address }: Container) =>
    engine.run(name, { labels, networks: { lab: { v4: address } } })
  for (const container of lab.containers) run(container)
  const { services, ...rest } = lab.config()
  const docker = { label: 'tier=web', socket: engine.socket }
  const found = services.map((service) => ({ ...service, containers: { docker } }))
  const daemon = await lab.startDaemon({
    config: { ...rest, damping: { ...DAMPING, halfLife: '3s' }, services: found },
  })
  const [flapping] = lab.containers as [Container]
  const isHeld = () =>
    daemon.log.some(({ msg, container }) => /is flapping/.test(msg) && container === flapping.name)
  let crashes = 0
  while (!isHeld() && crashes < 100) {
    crashes++
    const told = daemon.log.length
    engine.die(flapping.name)
    await daemon.running.until(() => daemon.log.slice(told).some(({ state }) => state === 'gone'), 'gone')
    run(flapping)
    await daemon.running.until(
      () => isHeld() || daemon.log.slice(told).some(({ state }) => state === 'ready'),
      'ready or held back',
    )
  }
  await untilState(daemon, 'down', flapping.name)
  const seen = await seenBy(flapping)
  assert.ok(!(await asked()).includes(flapping.name))
  assert.equal(await seenBy(flapping), seen)
  assert.equal(crashes, DAMPING.turns + 1)
  await daemon.untilLogged(({ msg }) => msg === 'container is no longer flapping', 'let go')
  assert.equal(await stateOf(daemon, flapping.name), 'ready')
  console.error(`held back after ${crashes} crashes`)
  await daemon.stop()
})

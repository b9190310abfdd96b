/** The fast path at work: what stays in the kernel, what follows a change at once, and what is left when it goes. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import { type Daemon, type LogRecord, onehopCommand } from '../support/lab/daemon.ts'
import { dissect } from '../support/lab/dissect.ts'
import { hostState } from '../support/lab/host-state.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, type Container, clientAddress, type Lab, PUBLIC, UPLINK, withLab } from '../support/lab.ts'

const REQUIRED = { dataplane: { fastpath: 'require' } }

const inLab = (use: (lab: Lab, agent: Agent) => Promise<void>) => () =>
  withLab({}, async (lab) => use(lab, await lab.client.agent()))

const startDaemon = (lab: Lab): Promise<Daemon> =>
  lab.startDaemon({ config: { ...lab.config(), ...REQUIRED } })

/** Requests until one meets no packet thread any more, either way. */
async function untilSettled(daemon: Daemon, request: () => Promise<unknown>): Promise<void> {
  const slowPackets = async () => (await daemon.status<Status>()).io.bridgeWrites
  let before = -1
  await untilTrue(async () => {
    await request()
    const now = await slowPackets()
    const isSettled = now === before
    before = now
    return isSettled
  }, 'no packet of a request takes the slow path')
}

const packetsOf = ({ verdicts }: Status, verdict: string): number =>
  verdicts.filter((counted) => counted.verdict === verdict).reduce((sum, { packets }) => sum + packets, 0)

const MANY = 20_000_000

for (const { name, url, service, client } of FAMILIES)
  test(
    `${name}: a known source's packets stay in the kernel, 64 KB ones whole, and are counted`,
    inLab(async (lab, agent) => {
      const daemon = await startDaemon(lab)
      const from = client(1)
      await untilSettled(daemon, () => agent.get(`${url}/`, { from }))
      await untilSettled(daemon, () => agent.udp(service, 53, 'x', { from }))
      const before = await daemon.status<Status>()
      const { container, peer } = await agent.who(`${url}/`, { from })
      for (const transfer of [
        await agent.download(`${url}/bytes`, MANY, { from }),
        await agent.upload(`${url}/bytes`, MANY, { from }),
      ])
        assert.deepEqual({ ...transfer, seconds: 0 }, { bytes: MANY, isEqual: true, seconds: 0 })
      for (let n = 0; n < 10; n++)
        assert.equal((await agent.udp(service, 53, `${n}`, { from })).payload, `${n}`)
      assert.equal(peer, from)

      const after = await daemon.status<Status>()
      assert.equal(after.io.bridgeWrites, before.io.bridgeWrites)
      for (const verdict of ['forward', 'reply'])
        assert.ok(packetsOf(after, verdict) > packetsOf(before, verdict) + 100, verdict)
      const sum = after.verdicts.reduce((packets, counted) => packets + counted.packets, 0)
      assert.equal(after.received.packets, sum)
      const packets = after.received.packets - before.received.packets
      const meanBytes = (after.received.bytes - before.received.bytes) / packets
      assert.ok(meanBytes > 3_000, `${meanBytes} bytes a packet, acknowledgments included`)
      const own = after.containers.find((counted) => counted.name === container)!
      assert.ok(own.in.bytes > MANY && own.out.bytes > MANY)
      await daemon.stop()
    }),
  )

/** What makes a container lose its client; resolves to the time, in seconds, from which on nothing may reach it. */
interface Change {
  readonly title: string
  readonly settings?: Readonly<Record<string, unknown>>
  /** Before its packets come. */
  prepare?(daemon: Daemon): Promise<void>
  act(lab: Lab, daemon: Daemon, old: Container): Promise<number>
}

/** The time of a log record, which is written after the change it tells of is in force. */
async function timeLogged(daemon: Daemon, msg: string): Promise<number> {
  const isIt = (record: LogRecord) => record.msg === msg
  await daemon.untilLogged(isIt, msg)
  return Number(daemon.log.find(isIt)!.time) / 1_000
}

/** A verb of the table's about the client, in the service. */
async function tellTable(daemon: Daemon, verb: string, ...more: readonly string[]): Promise<void> {
  for (const { client } of FAMILIES) {
    const { code, stderr } = await daemon.ask('table', verb, client(1), ...more, '--service', 'web')
    assert.equal(code, 0, stderr)
  }
}

async function forget(daemon: Daemon, ...which: readonly string[]): Promise<void> {
  const { code, stderr } = await daemon.ask('table', 'forget', ...which)
  assert.equal(code, 0, stderr)
}

async function reload(daemon: Daemon, config: unknown): Promise<number> {
  daemon.writeConfig(config)
  daemon.running.signal('SIGHUP')
  return await timeLogged(daemon, 'reloaded')
}

const CHANGES: readonly Change[] = [
  {
    title: 'a reload that takes its container away',
    act: (lab, daemon, old) =>
      reload(daemon, { ...lab.config(lab.containers.filter((container) => container !== old)), ...REQUIRED }),
  },
  {
    title: 'a reload that pins it elsewhere',
    act(lab, daemon, old) {
      const { services, ...rest } = lab.config()
      const container = lab.containers.find((other) => other !== old)!.name
      const pins = FAMILIES.map(({ client }) => ({ source: client(1), container }))
      return reload(daemon, { ...rest, ...REQUIRED, services: [{ ...services[0]!, pins }] })
    },
  },
  {
    title: 'a health check that fails',
    // A killed server refuses at once; patient, so that no check fails because the machine is busy.
    settings: { health: { type: 'tcp', port: 8080, interval: '50ms', timeout: '10s', fall: 1 } },
    async act(_lab, daemon, old) {
      old.server.kill()
      return await timeLogged(daemon, 'container is down')
    },
  },
  {
    title: "an operator's pin",
    async act(lab, daemon, old) {
      await tellTable(daemon, 'pin', lab.containers.find((other) => other !== old)!.name)
      return Date.now() / 1_000
    },
  },
  {
    title: "the end of an operator's pin",
    settings: { pins: FAMILIES.map(({ client }) => ({ source: client(1), container: 'c1' })) },
    prepare: (daemon) => tellTable(daemon, 'pin', 'c2'),
    async act(_lab, daemon, old) {
      assert.equal(old.name, 'c2')
      await tellTable(daemon, 'unpin')
      return Date.now() / 1_000
    },
  },
  {
    title: 'its entry was forgotten',
    settings: { algorithm: 'weighted-round-robin' },
    async act(_lab, daemon) {
      for (const { client } of FAMILIES) await forget(daemon, '--prefix', client(1))
      return Date.now() / 1_000
    },
  },
  {
    title: 'the whole table was forgotten',
    settings: { algorithm: 'weighted-round-robin' },
    async act(_lab, daemon) {
      await forget(daemon, '--all')
      return Date.now() / 1_000
    },
  },
  {
    title: "the end of its container's drain",
    async act(_lab, daemon, { name }) {
      const { code, stderr } = await daemon.ask('containers', 'drain', name, '--deadline', '1s')
      assert.equal(code, 0, stderr)
      await untilTrue(async () => {
        const { containers } = await daemon.status<Status>()
        return containers.some((container) => container.name === name && container.state === 'down')
      }, `${name} is down`)
      return Date.now() / 1_000
    },
  },
]

/** From the moment on, nothing goes where it went before. */
const GRACE_SECONDS = 0.01
const STREAM = join(import.meta.dirname, '..', 'support', 'servers', 'stream.py')

for (const { title, settings = {}, prepare, act } of CHANGES)
  for (const family of FAMILIES)
    test(
      `${family.name}: after ${title}, no packet of a stream reaches the old one`,
      inLab(async (lab, agent) => {
        const { service, client } = family
        const { services, ...rest } = lab.config()
        const config = { ...rest, ...REQUIRED, services: [{ ...services[0]!, ...settings }] }
        const daemon = await lab.startDaemon({ config })
        await prepare?.(daemon)
        const from = client(1)
        const captures = await Promise.all(
          lab.containers.map(({ namespace }) => lab.capture(namespace, 'eth0', 'udp dst port 5353')),
        )
        const stream = lab.client.start(['/usr/bin/python3', STREAM, from, service, '53', '1000'])
        await untilSettled(daemon, () => agent.udp(service, 53, 'x', { from }))
        const name = (await agent.udp(service, 53, 'who?', { from })).payload
        const old = lab.containers.findIndex((container) => name.includes(`"${container.name}"`))
        const moment = (await act(lab, daemon, lab.containers[old]!)) + GRACE_SECONDS
        await untilSettled(daemon, () => agent.udp(service, 53, 'x', { from }))
        stream.child.stdin!.end()
        await stream.exited
        await Promise.all(captures.map((capture) => capture.stop()))

        const arrivals = await Promise.all(
          captures.map(async ({ file }) =>
            (await dissect(file, 'udp', ['frame.time_epoch'])).map(([time]) => Number(time)),
          ),
        )
        const [atOld = []] = arrivals.splice(old, 1)
        const late = atOld.filter((time) => time > moment)
        assert.ok(atOld.length > 20, `${atOld.length} packets before`)
        assert.deepEqual(late, [], `packets after the moment ${moment}`)
        assert.ok(arrivals.flat().filter((time) => time > moment).length > 20, 'the stream goes on elsewhere')
        await daemon.stop()
      }),
    )

/** The daemon hears of routes; a busy processor may let it wait. Without it, answers would go on for up to a second. */
const HEARD_SECONDS = 0.1

for (const { name, service, client } of FAMILIES)
  test(
    `${name}: when the host has another route to a client, no answer takes the old one`,
    inLab(async (lab, agent) => {
      const daemon = await startDaemon(lab)
      const from = client(1)
      const request = () => agent.udp(service, 53, 'x', { from, timeoutMs: 500 })
      const capture = await lab.capture(lab.client, 'eth0', 'udp src port 53')
      const stream = lab.client.start(['/usr/bin/python3', STREAM, from, service, '53', '1000'])
      await untilSettled(daemon, request)

      const requests = () => lab.containers.reduce((sum, { log }) => sum + log.length, 0)
      await lab.host.run(['ip', 'route', 'add', 'blackhole', from])
      const moment = Date.now() / 1_000 + HEARD_SECONDS
      const enough = requests() + 500
      await untilTrue(() => requests() > enough, 'half a second of requests')
      const end = Date.now() / 1_000
      await lab.host.run(['ip', 'route', 'delete', 'blackhole', from])
      await untilTrue(() => request().then(Boolean, () => false), 'answers again')
      stream.child.stdin!.end()
      await stream.exited
      await capture.stop()

      const times = (await dissect(capture.file, 'udp', ['frame.time_epoch'])).map(([time]) => Number(time))
      assert.deepEqual(
        times.filter((time) => time > moment && time < end),
        [],
      )
      assert.ok(times.filter((time) => time < moment).length > 20, 'answers before')
      assert.ok(
        times.some((time) => time > end),
        'answers after',
      )
      await daemon.stop()
    }),
  )

const PLUG = ({ port, address, address6, namespace }: Container) => ({
  host: `
ip link delete ${port}
ip link add ${port} type veth peer name eth0 netns ${namespace.pid}
ip link set ${port} master ${BRIDGE} up`,
  container: `
ip addr add ${address}/16 dev eth0
ip addr add ${address6}/64 dev eth0
ip link set eth0 up
ip route add default via 10.77.0.1
ip route add default via fd77::1`,
})

test(
  'a container whose link is made anew, as by a restart, is served in the kernel again',
  inLab(async (lab, agent) => {
    const daemon = await startDaemon(lab)
    const request = () => agent.get(`http://${PUBLIC}/`, { from: clientAddress(1), timeoutMs: 500 })
    await untilSettled(daemon, request)
    for (const container of lab.containers) {
      const { host, container: inside } = PLUG(container)
      await lab.host.script(host)
      await container.namespace.script(inside)
    }
    await untilTrue(() => request().then(Boolean, () => false), 'served again')
    await untilSettled(daemon, request)
    const { fastpath } = (await daemon.status<Status>()).io
    assert.deepEqual([fastpath.uplinks, fastpath.ports], [1, lab.containers.length])
    await daemon.stop()
  }),
)

/** When the table saw its source last, of what `table get --json` prints. */
const seenSecondsOf = (text: string): number => Date.parse(JSON.parse(text).entries[0].seen) / 1_000

test(
  'who is busy in the kernel alone is not taken for idle by the table',
  inLab(async (lab, agent) => {
    const { services, ...rest } = lab.config()
    const [web] = services
    const config = { ...rest, ...REQUIRED, services: [{ ...web!, affinity: { idle: '2m' } }] }
    const daemon = await lab.startDaemon({ config })
    const from = clientAddress(1)
    await untilSettled(daemon, () => agent.get(`http://${PUBLIC}/`, { from }))
    const slow = (await daemon.status<Status>()).io.bridgeWrites
    const { stdout: before } = await daemon.ask('table', 'get', from, '--json')
    const start = performance.now()
    while (performance.now() - start < 6_000) await agent.get(`http://${PUBLIC}/`, { from })
    await untilTrue(async () => {
      const { stdout } = await daemon.ask('table', 'get', from, '--json')
      return seenSecondsOf(stdout) >= seenSecondsOf(before) + 5
    }, 'the entry was seen later')
    assert.equal((await daemon.status<Status>()).io.bridgeWrites, slow)
    await daemon.stop()
  }),
)

/** Everything that tc has, without what counts. */
const filters = (lab: Lab): Promise<string> =>
  lab.host.script(`
for link in ${[UPLINK, ...lab.containers.map(({ port }) => port)].join(' ')}; do
  tc qdisc show dev $link
  tc filter show dev $link ingress
  tc filter show dev $link egress
done`)

test(
  'what a container that goes has counted stays counted, and its client is served in the kernel by another',
  inLab(async (lab, agent) => {
    const { url, client } = FAMILIES[0]!
    const from = client(1)
    const daemon = await startDaemon(lab)
    const request = () => agent.who(`${url}/`, { from })
    await untilSettled(daemon, request)
    const before = (await daemon.status<Status>()).received.packets
    const { container: gone } = await request()
    await reload(daemon, { ...lab.config(lab.containers.filter(({ name }) => name !== gone)), ...REQUIRED })
    await untilSettled(daemon, request)
    assert.notEqual((await request()).container, gone)
    const { received, verdicts } = await daemon.status<Status>()
    assert.ok(received.packets > before + 10, `${received.packets} after ${before}`)
    assert.equal(
      received.packets,
      verdicts.reduce((sum, { packets }) => sum + packets, 0),
    )
    await daemon.stop()
  }),
)

/** Copies every packet to nowhere, counts it, and leaves it to the next filter. */
const MIRROR = 'u32 match u32 0 0 action mirred egress mirror dev sink0 continue'

test(
  "another's tc programs beside it keep seeing packets, and all that is left in the end is theirs",
  inLab(async (lab, agent) => {
    await lab.host.script(`
tc qdisc add dev ${UPLINK} clsact
ip link add sink0 up type bridge
tc filter add dev ${UPLINK} ingress prio 7 protocol all ${MIRROR}
tc filter add dev ${UPLINK} egress prio 7 protocol all ${MIRROR}`)
    const [before, state] = [await filters(lab), await hostState(lab.host)]
    const daemon = await startDaemon(lab)
    const request = () => agent.get(`http://${PUBLIC}/`, { from: clientAddress(1) })
    await untilSettled(daemon, request)
    const seen = async (side: string): Promise<number> => {
      const text = await lab.host.run(`tc -s -j filter show dev ${UPLINK} ${side} prio 7`.split(' '))
      const counts = [...text.matchAll(/"packets":(\d+)/g)].map(([, packets]) => Number(packets))
      return Math.max(...counts)
    }
    for (const side of ['ingress', 'egress']) {
      const known = await seen(side)
      for (let n = 0; n < 5; n++) await request()
      assert.ok((await seen(side)) >= known + 20, side)
    }
    assert.notEqual(await filters(lab), before)
    await daemon.stop()
    assert.equal(await filters(lab), before)
    assert.equal(await hostState(lab.host), state)
  }),
)

test(
  'when the daemon is killed, known clients are served for some seconds more; `routes down` takes all away',
  inLab(async (lab, agent) => {
    const [before, state] = [await filters(lab), await hostState(lab.host)]
    const folder = lab.path('killed')
    const config = { ...lab.config(), dataplane: { fastpath: 'require', linger: '5s' } }
    const daemon = lab.launchDaemon({ config }, folder)
    await daemon.untilReady()
    const request = () => agent.get(`http://${PUBLIC}/`, { from: clientAddress(1), timeoutMs: 500 })
    await untilSettled(daemon, request)
    await daemon.stop('SIGKILL')
    const start = performance.now()
    for (let n = 0; n < 20; n++) assert.equal((await request()).status, 200)
    const tookMs = performance.now() - start
    assert.ok(tookMs < 4_000, `took ${tookMs} ms`)
    await assert.rejects(agent.get(`http://${PUBLIC}/`, { from: clientAddress(2), timeoutMs: 500 }))
    await untilTrue(() => request().then(() => false, Boolean), 'the fast path stands aside', 20_000)

    await lab.host.run([...onehopCommand(), 'routes', 'down', '--run-dir', join(folder, 'run')])
    assert.equal(await filters(lab), before)
    assert.equal(await hostState(lab.host), state)
  }),
)

/** CAP_SYS_ADMIN would stand for CAP_BPF. */
const WITHOUT_BPF = ['setpriv', '--bounding-set', '-bpf,-sys_admin']

test(
  'without the privilege, `auto` serves without it and says why, and `require` refuses to start',
  inLab(async (lab, agent) => {
    const daemon = await lab.startDaemon({ config: lab.config(), wrapper: WITHOUT_BPF })
    assert.equal((await agent.get(`http://${PUBLIC}/`)).status, 200)
    const { fastpath } = (await daemon.status<Status>()).io
    assert.equal(fastpath.state, 'unavailable')
    assert.match(fastpath.problem!, /EPERM.*CAP_BPF/)
    assert.ok(daemon.log.some(({ msg, problem }) => /fast path/.test(msg) && problem === fastpath.problem))
    await daemon.stop()

    const state = await hostState(lab.host)
    const refused = lab.launchDaemon({ config: { ...lab.config(), ...REQUIRED }, wrapper: WITHOUT_BPF })
    assert.deepEqual(await refused.running.exited, { code: 1, signal: null })
    assert.match(refused.running.stderr, /fast path: .*CAP_BPF/)
    assert.equal(await hostState(lab.host), state)
  }),
)

import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { after, afterEach } from 'node:test'
import type { ForwarderOptions, IoCounters, Traffic } from '../../src/dataplane/dataplane.ts'
import { dissect } from '../support/lab/dissect.ts'
import type { Running } from '../support/lab/running.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, clientAddress, clientAddress6, Lab, PUBLIC, PUBLIC6 } from '../support/lab.ts'

const TUN = 'onehop0'
const PROGRAM = ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'forward.ts')]
const OPTIONS: ForwarderOptions = {
  tun: TUN,
  bridges: [BRIDGE],
  uplinks: [],
  queues: 2,
  spinUs: 0,
  fastpath: 'off',
  lingerSeconds: 30,
  selfCheck: 0,
}

/** Requests and everything that comes from the bridge meet the TUN; onehop's own set-up is finer. */
const ROUTES = `
ip tuntap add dev ${TUN} mode tun vnet_hdr multi_queue
ip link set ${TUN} up mtu 1500 txqueuelen 10000
ip route add ${PUBLIC}/32 dev ${TUN}
ip -6 route add ${PUBLIC6}/128 dev ${TUN}
ip route add default dev ${TUN} table 77
ip -6 route add default dev ${TUN} table 77`
const RULES = `
ip rule add pref 77 iif ${BRIDGE} lookup 77
ip -6 rule add pref 77 iif ${BRIDGE} lookup 77`

const lab = await Lab.open({ containers: 2, rpFilter: 0 })
after(() => lab.close())
await lab.host.script(ROUTES + RULES)
const agent = await lab.client.agent()

const running = new Set<Forwarding>()
afterEach(async () => {
  for (const forwarding of running) await forwarding.running.stop('SIGKILL')
  running.clear()
})

/** forward.ts in the host's namespace. */
class Forwarding {
  readonly running: Running

  constructor(
    options: Partial<ForwarderOptions>,
    wrapper: readonly string[] = [],
    words: readonly string[] = [],
  ) {
    const values = [lab.config(), { ...OPTIONS, ...options }].map((value) => JSON.stringify(value))
    this.running = lab.host.start([...wrapper, process.execPath, ...PROGRAM, ...values, ...words])
    running.add(this)
  }

  static async start(options: Partial<ForwarderOptions> = {}): Promise<Forwarding> {
    const forwarding = new Forwarding(options)
    await forwarding.running.until(({ lines }) => lines[0] === 'started', 'started')
    return forwarding
  }

  async ask<Answer>(command: string): Promise<Answer> {
    const answered = this.running.lines.length
    this.running.child.stdin?.write(`${command}\n`)
    await this.running.until(({ lines }) => lines.length > answered, `an answer to ${command}`)
    return JSON.parse(this.running.lines[answered]!) as Answer
  }

  io = (): Promise<IoCounters> => this.ask('io')

  untilResolved(count: number): Promise<void> {
    const isResolved = async () => (await this.io()).neighboursResolved === count
    return untilTrue(isResolved, `${count} neighbours resolved`)
  }

  /** For a program that is meant to fail: what it printed. */
  async untilFailed(): Promise<string> {
    assert.equal((await this.running.exited).code, 1, this.running.stderr)
    return this.running.lines[0] ?? ''
  }
}

async function assertServed(path = '/'): Promise<void> {
  for (const [host, from] of [
    [PUBLIC, clientAddress(1)],
    [`[${PUBLIC6}]`, clientAddress6(1)],
  ] as const) {
    const { peer } = await agent.who(`http://${host}${path}`, { from })
    assert.equal(peer, from)
  }
}

test('requests go straight to the bridge, and 64 KB packets stay whole in both directions and families', async () => {
  const forwarding = await Forwarding.start()
  await forwarding.untilResolved(4)
  await assertServed()
  const before = await forwarding.ask<Traffic>('received')
  for (const host of [PUBLIC, `[${PUBLIC6}]`]) {
    const MANY = 20_000_000
    const url = `http://${host}/bytes`
    for (const transfer of [await agent.download(url, MANY), await agent.upload(url, MANY)])
      assert.deepEqual({ ...transfer, seconds: 0 }, { bytes: MANY, isEqual: true, seconds: 0 })
  }
  const after = await forwarding.ask<Traffic>('received')
  const meanBytes = (after.bytes - before.bytes) / (after.packets - before.packets)
  assert.ok(meanBytes > 3_000, `${meanBytes} bytes a packet, acknowledgments included`)
  const { bridgeWrites, tunEmptied, tunQueueLength, queues, offload, fastpath, latency, selfCheck, ...rest } =
    await forwarding.io()
  assert.ok(bridgeWrites > 100)
  assert.equal(queues, 2)
  assert.ok(tunEmptied > 0)
  assert.equal(tunQueueLength, (await linkByKernel()).txqlen)
  assert.deepEqual(selfCheck, { every: 0, checked: 0, wrong: 0 })
  assert.ok([latency.request, latency.answer].every(({ buckets }) => buckets.some((count) => count > 0)))
  assert.equal(fastpath.state, 'off')
  assert.ok(['csum', 'tso4', 'tso6'].every((name) => offload.includes(name)))
  assert.deepEqual(rest, {
    tunReadErrors: 0,
    tunWriteErrors: 0,
    bridgeWriteErrors: 0,
    tunWrites: 0,
    joined: 0,
    tunDropped: 0,
    errors: [],
    neighboursResolved: 4,
    neighboursWanted: 4,
  })
})

test('containers on no bridge of ours are served through the TUN, at one hop each way', async () => {
  await lab.host.script('ip link add br9 type bridge; ip link set br9 up')
  const forwarding = await Forwarding.start({ bridges: ['br9'] })
  const namespaces = [lab.client, ...lab.containers.map(({ namespace }) => namespace)]
  const captures = await Promise.all(namespaces.map((at) => lab.capture(at, 'eth0', 'tcp')))
  await assertServed()
  await Promise.all(captures.map((capture) => capture.stop()))
  assert.deepEqual(await hopsLeft(captures[0]!.file, `ip.src == ${PUBLIC} || ipv6.src == ${PUBLIC6}`), [63])
  const atContainers = captures.slice(1).map(({ file }) => hopsLeft(file, 'tcp.dstport == 8080'))
  assert.deepEqual([...new Set((await Promise.all(atContainers)).flat())], [63])
  const { bridgeWrites, tunWrites, neighboursResolved, neighboursWanted } = await forwarding.io()
  assert.deepEqual([bridgeWrites, neighboursResolved, neighboursWanted], [0, 0, 4])
  assert.ok(tunWrites >= 8)
})

const hopsLeft = async (file: string, filter: string): Promise<number[]> => {
  const rows = await dissect(file, filter, ['ip.ttl', 'ipv6.hlim'])
  return [...new Set(rows.map(([four, six]) => Number(four || six)))]
}

test('a container that comes back with another hardware address is found', async () => {
  const forwarding = await Forwarding.start()
  await forwarding.untilResolved(4)
  const [, container] = lab.containers
  await lab.host.script(`ip link set ${container!.port} nomaster`)
  await forwarding.untilResolved(2)
  await container!.namespace.script('ip link set eth0 address 02:00:00:00:00:99')
  await lab.host.script(`ip link set ${container!.port} master ${BRIDGE}`)
  await forwarding.untilResolved(4)
  const { bridgeWrites } = await forwarding.io()
  for (let n = 0; n < 8; n++) await agent.who(`http://${PUBLIC}/`, { from: clientAddress(n) })
  const after = await forwarding.io()
  assert.deepEqual([after.tunWrites, after.bridgeWriteErrors], [0, 0])
  assert.ok(after.bridgeWrites > bridgeWrites)
})

test('a bridge that is deleted and made again is written to again', async () => {
  const forwarding = await Forwarding.start()
  await forwarding.untilResolved(4)
  await lab.host.script(`ip link del ${BRIDGE}`)
  await forwarding.untilResolved(0)
  await lab.host.script(`
ip link add ${BRIDGE} type bridge
ip addr add 10.77.0.1/16 dev ${BRIDGE}
ip addr add fd77::1/64 dev ${BRIDGE} nodad
${lab.containers.map(({ port }) => `ip link set ${port} master ${BRIDGE}`).join('\n')}
ip link set ${BRIDGE} up`)
  for (const { namespace } of lab.containers) await namespace.script('ip neigh flush all')
  await forwarding.untilResolved(4)
  const { bridgeWrites } = await forwarding.io()
  await assertServed()
  assert.ok((await forwarding.io()).bridgeWrites > bridgeWrites)
})

test('what the kernel has no room for in the TUN is counted as the kernel counts it', async () => {
  const forwarding = await Forwarding.start()
  await forwarding.untilResolved(4)
  const before = await droppedByKernel()
  await lab.host.script(`ip link set ${TUN} txqueuelen 16`)
  assert.equal((await forwarding.io()).tunQueueLength, 16)
  await halted(forwarding, () => sendDatagrams(100))
  await lab.host.script(`ip link set ${TUN} txqueuelen 10000`)
  const { tunDropped } = await forwarding.io()
  assert.equal(tunDropped, (await droppedByKernel()) - before)
  assert.ok(tunDropped >= 50, `${tunDropped} dropped`)
})

test('writes that fail are counted by their error', async () => {
  const forwarding = await Forwarding.start()
  await halted(forwarding, async () => {
    await sendDatagrams(3, 54)
    await lab.host.script(`ip link set ${TUN} down`)
  })
  const isCounted = async () => (await forwarding.io()).tunWriteErrors > 0
  await untilTrue(isCounted, 'a failed write')
  const { errors, tunWriteErrors } = await forwarding.io()
  await lab.host.script(`ip link set ${TUN} up\n${ROUTES.split('\n').slice(3).join('\n')}`)
  assert.deepEqual(errors, [{ call: 'write TUN', error: 'EIO', count: tunWriteErrors }])
})

const droppedByKernel = async (): Promise<number> => (await linkByKernel()).stats64.tx.dropped

async function linkByKernel() {
  const [link] = JSON.parse(await lab.host.run(['ip', '-j', '-s', 'link', 'show', TUN]))
  return link
}

async function halted({ running }: Forwarding, act: () => Promise<unknown>): Promise<void> {
  process.kill(running.pid, 'SIGSTOP')
  try {
    await act()
  } finally {
    process.kill(running.pid, 'SIGCONT')
  }
}

/** Of one flow. */
const sendDatagrams = (count: number, port = 53, apartSeconds = 0): Promise<string> =>
  lab.client.run(['/usr/bin/python3', '-'], {
    input: `
import socket, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(${count}):
  one.sendto(b"x", ("${PUBLIC}", ${port}))
  time.sleep(${apartSeconds})`,
  })

test('it uses no processor time while nothing happens', async () => {
  const forwarding = await Forwarding.start({ spinUs: 100 })
  await forwarding.untilResolved(4)
  await assertServed()
  const before = await forwarding.ask<Record<string, number>>('threads')
  assert.deepEqual(Object.keys(before).sort(), ['onehop-neigh', 'onehop-q0', 'onehop-q1'])
  const WINDOW_MS = 2_000
  const end = performance.now() + WINDOW_MS
  await untilTrue(() => performance.now() > end, 'the end of the window')
  const after = await forwarding.ask<Record<string, number>>('threads')
  for (const [name, ms] of Object.entries(after)) {
    const usedMs = ms - before[name]!
    assert.ok(usedMs < WINDOW_MS / 100, `${name} ran for ${usedMs} of ${WINDOW_MS} ms`)
  }
})

test('it looks for packets only as long as they come soon', async () => {
  const SPIN_US = 500
  const forwarding = await Forwarding.start({ spinUs: SPIN_US })
  await forwarding.untilResolved(4)
  const spent = async () => {
    const threads = Object.entries(await forwarding.ask<Record<string, number>>('threads'))
    return threads.reduce((sum, [name, ms]) => (name.startsWith('onehop-q') ? sum + ms : sum), 0)
  }
  const before = await spent()
  const COUNT = 1_000
  // Each is answered by onehop itself, so there is one packet every two milliseconds.
  await sendDatagrams(COUNT, 54, 0.002)
  const spentMs = (await spent()) - before
  assert.ok(spentMs < (COUNT * SPIN_US) / 1_000 / 2, `${spentMs} ms`)
})

test('stop under load takes less than a second, nothing is touched afterwards, and it may be repeated', async () => {
  const forwarding = await Forwarding.start({ spinUs: 50 })
  const load = lab.containers.map((_, n) =>
    agent.download(`http://${PUBLIC}/bytes`, 10_000_000_000, { from: clientAddress(n) }).catch(() => {}),
  )
  const isBusy = async () => (await forwarding.ask<Traffic>('received')).packets > 1_000
  await untilTrue(isBusy, 'a thousand packets')
  const { tookMs, received } = await forwarding.ask<{ tookMs: number; received: number }>('stop')
  assert.ok(tookMs < 1_000, `${tookMs} ms`)
  assert.deepEqual(await forwarding.ask('threads'), {})
  assert.equal((await forwarding.ask<Traffic>('received')).packets, received)
  assert.equal((await forwarding.io()).queues, 0)
  await forwarding.ask('stop')
  await Promise.all(load)
})

for (const [command, code] of [
  ['exit', 7],
  ['throw', 1],
] as const)
  test(`${command} while threads run ends the process with code ${code}`, async () => {
    const forwarding = await Forwarding.start({ spinUs: 50 })
    const load = agent.download(`http://${PUBLIC}/bytes`, 10_000_000_000).catch(() => {})
    const isBusy = async () => (await forwarding.ask<Traffic>('received')).packets > 1_000
    await untilTrue(isBusy, 'a thousand packets')
    forwarding.running.child.stdin?.write(`${command}\n`)
    assert.deepEqual(await forwarding.running.exited, { code, signal: null })
    await load
  })

test("a thread of Node's that is terminated takes its data plane with it", async () => {
  const { running } = new Forwarding({}, [], ['in-worker'])
  assert.deepEqual(await running.exited, { code: 0, signal: null }, running.stderr)
  const { before, after } = JSON.parse(running.lines[0]!) as { before: string[]; after: string[] }
  assert.deepEqual([before.sort(), after], [['onehop-neigh', 'onehop-q0', 'onehop-q1'], []])
})

test('a bridge that does not exist is named, and no TUN is made', async () => {
  const line = await new Forwarding({ tun: 'fresh0', bridges: ['br8'] }).untilFailed()
  assert.equal(line, 'E_NETWORK bridge br8: no such interface')
  assert.notEqual((await lab.host.attempt(['ip', 'link', 'show', 'fresh0'])).code, 0)
})

test('an interface that is no Ethernet is refused as a bridge', async () => {
  assert.equal(
    await new Forwarding({ bridges: ['lo'] }).untilFailed(),
    'E_NETWORK bridge lo: not an Ethernet interface',
  )
})

test('an interface that is no TUN is refused as one', async () => {
  assert.match(
    await new Forwarding({ tun: 'up0' }).untilFailed(),
    /^E_SYSTEM TUNSETIFF up0: EINVAL \(an interface of that name is there, but it is no multi-queue TUN: /,
  )
})

for (const [capability, call] of [
  ['net_admin', /^E_SYSTEM .*: EPERM \(need CAP_NET_ADMIN\)$/],
  ['net_raw', /^E_SYSTEM socket AF_PACKET: EPERM \(need CAP_NET_RAW\)$/],
] as const)
  test(`without CAP_${capability.toUpperCase()} it says so, and no TUN is left`, async () => {
    const wrapper = ['setpriv', '--bounding-set', `-${capability}`, '--inh-caps', `-${capability}`]
    assert.match(await new Forwarding({ tun: 'fresh0' }, wrapper).untilFailed(), call)
    assert.notEqual((await lab.host.attempt(['ip', 'link', 'show', 'fresh0'])).code, 0)
  })

test('without /dev/net/tun it says how to make it', async () => {
  const script = 'mount -t tmpfs none /dev/net && exec "$0" "$@"'
  const line = await new Forwarding({}, ['unshare', '--mount', 'sh', '-c', script]).untilFailed()
  assert.match(line, /^E_SYSTEM open \/dev\/net\/tun: ENOENT \(make it: mkdir -p \/dev\/net && mknod /)
})

test('a TUN that is missing is made, and goes with the last queue', async () => {
  const forwarding = await Forwarding.start({ tun: 'fresh0' })
  await lab.host.run(['ip', 'link', 'show', 'fresh0'])
  await forwarding.ask('stop')
  assert.notEqual((await lab.host.attempt(['ip', 'link', 'show', 'fresh0'])).code, 0)
})

test('a TUN that is deleted ends its packet threads, which io tells, and stop still works', async () => {
  const forwarding = await Forwarding.start()
  await assertServed()
  await lab.host.script(`ip link del ${TUN}`)
  await untilTrue(async () => (await forwarding.io()).queues === 0, 'no queue at work')
  await forwarding.ask('stop')
  await lab.host.script(ROUTES)
  await Forwarding.start()
  await assertServed()
})

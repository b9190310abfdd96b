import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { Docker } from '../support/docker/docker.ts'
import { Visitors } from '../support/docker/visitors.ts'
import { FAMILIES } from '../support/families.ts'
import { untilTrue } from '../support/lab/until.ts'
import { clientAddress, Lab, PUBLIC, PUBLIC6, UPLINK } from '../support/lab.ts'

const MOST_PUBLISH_MS = 50
const MOST_TAKE_OVER_MS = 200
const GRACE_SECONDS = 2

const lab = await Lab.open({ containers: 0 })
after(() => lab.close())
// As on a host that nobody has prepared: Docker switches forwarding on by itself, and makes FORWARD drop by policy.
await lab.host.setSysctl('net/ipv4/ip_forward', 0)
const docker = await Docker.open(lab.host)
after(() => docker.close())
const daemon = await lab.startDaemon({
  config: {
    version: 1,
    interfaces: { uplinks: [UPLINK] },
    key: '000102030405060708090a0b0c0d0e0f',
    services: [
      {
        name: 'web',
        addresses: [PUBLIC, PUBLIC6],
        ports: ['80/tcp->8080', '53/udp->5353'],
        containers: { docker: { label: 'tier=web', socket: docker.socket } },
      },
    ],
  },
})
after(() => daemon.stop())
const agent = await lab.client.agent()
const labels = { tier: 'web' }
const start = (name: string, ...flags: readonly string[]) => docker.start(name, { labels, flags })
const statesOf = async () =>
  Object.fromEntries((await daemon.status<Status>()).containers.map(({ name, state }) => [name, state]))
const untilState = (name: string, state: string | undefined) =>
  untilTrue(async () => (await statesOf())[name] === state, `${name} is ${state ?? 'gone'}`)
const who = async (n: number) => (await agent.who(`http://${PUBLIC}/`, { from: clientAddress(n) })).container

test('FORWARD drops by policy, as Docker makes it', async () => {
  assert.match(await lab.host.run(['iptables', '-S', 'FORWARD']), /^-P FORWARD DROP$/m)
  assert.match(await lab.host.run(['ip6tables', '-S', 'FORWARD']), /^-P FORWARD DROP$/m)
})

test('a container that starts is served over both families, and sees the client', async () => {
  await start('web-1')
  await untilState('web-1', 'ready')
  for (const family of FAMILIES) {
    const served = await agent.who(`${family.url}/`, { from: family.client(1) })
    assert.deepEqual([served.container, served.peer], ['web-1', family.client(1)])
  }
})

test('one on a network of its own, found with its bridge, and one that is published besides', async () => {
  await docker.run('network', 'create', 'front')
  await start('web-2', '--network', 'front', '--publish', '8888:8080')
  await untilState('web-2', 'ready')
  const { bridges } = await daemon.status<Status>()
  assert.deepEqual([bridges.length, bridges.includes('docker0')], [2, true])
  const served = await Promise.all(Array.from({ length: 30 }, (_, n) => who(n)))
  assert.deepEqual([...new Set(served)].sort(), ['web-1', 'web-2'])
  await untilTrue(async () => {
    const { neighboursResolved, neighboursWanted } = (await daemon.status<Status>()).io
    return neighboursWanted === 3 && neighboursResolved === 3
  }, 'frames go straight to both bridges: three addresses')
  const published = await agent.who('http://198.18.0.1:8888/', { from: clientAddress(1) })
  assert.equal(published.container, 'web-2')
})

test('paused is down, unhealthy is down, and both come back', async () => {
  await docker.run('pause', 'web-2')
  await untilState('web-2', 'down')
  assert.equal(await who(3), 'web-1')
  await docker.run('unpause', 'web-2')
  await untilState('web-2', 'ready')
  const isWell = [
    '--health-cmd',
    'test ! -e /tmp/sick',
    '--health-interval',
    '200ms',
    '--health-retries',
    '1',
  ]
  await start('web-3', ...isWell)
  await untilState('web-3', 'ready')
  await docker.run('exec', 'web-3', '/bin/touch', '/tmp/sick')
  await untilState('web-3', 'down')
  await docker.run('exec', 'web-3', '/bin/rm', '/tmp/sick')
  await untilState('web-3', 'ready')
  const containers = JSON.parse((await daemon.ask('containers', 'list', '--json')).stdout)
  assert.ok(containers.every(({ reason }: { reason: string }) => reason === 'config'))
})

test('3 → 10 → 2 under load: who is known to one that stays keeps it and never fails; nobody fails while one drains', async (t) => {
  const visitors = new Visitors(agent, `http://${PUBLIC}/`, 40)
  await visitors.untilEachServed(2)
  await Promise.all([4, 5, 6, 7].map((n) => start(`web-${n}`)))
  await Promise.all([8, 9, 10].map((n) => start(`web-${n}`)))
  await untilState('web-10', 'ready')
  await visitors.untilEachServed(2)
  assert.deepEqual(visitors.failures, [], 'nobody fails while containers come')
  assert.deepEqual(visitors.moves, [], 'nobody moves to one that comes')
  const newcomers = await Promise.all(Array.from({ length: 100 }, (_, n) => who(100 + n)))
  assert.ok(new Set(newcomers).size >= 8, `${new Set(newcomers).size} containers serve newcomers`)

  const leaving = [3, 4, 5, 6, 7, 8, 9, 10].map((n) => `web-${n}`)
  const stoppedMs = performance.now()
  const stopped = docker.run('stop', '--time', String(GRACE_SECONDS), ...leaving)
  await untilTrue(async () => leaving.every((name) => stateOf(name) === 'draining'), 'all drain')
  await visitors.untilEachServed(1)
  assert.deepEqual(visitors.failures, [], 'nobody fails while they drain')
  await stopped
  await Promise.all(leaving.map((name) => untilState(name, undefined)))
  await visitors.untilEachServed(2)
  await visitors.stop()
  const endsMs = stoppedMs + GRACE_SECONDS * 1000
  for (const { container, atMs, error } of visitors.failures) {
    assert.ok(leaving.includes(container), `${container} stays, but a client of it failed: ${error}`)
    assert.ok(atMs >= endsMs, `failed ${endsMs - atMs} ms before the end of ${container}: ${error}`)
  }
  for (const { from } of visitors.moves)
    assert.ok(leaving.includes(from), `a client left ${from}, which stays`)
  t.diagnostic(
    `${visitors.answers} requests, ${visitors.failures.length} failed with their container's end, ${visitors.moves.length} clients moved`,
  )
})

/** How long each of a killed container's clients waited for another's answer. */
async function killOne(): Promise<readonly number[]> {
  const clients = Array.from({ length: 20 }, (_, n) => n)
  const served = await Promise.all(clients.map(who))
  const killed = served[0]!
  const startMs = performance.now()
  // Docker answers when the container has ended, which is later than its clients may wait.
  const [, ...tookMs] = await Promise.all([
    docker.kill(killed),
    ...clients.filter((n) => served[n] === killed).map((n) => untilTakenOver(n, killed, startMs)),
  ])
  await docker.run('start', killed)
  await untilState(killed, 'ready')
  return tookMs
}

// Other processes may hold this one up for longer than that: once of three times is proof.
test(`docker kill: its clients are answered by another within ${MOST_TAKE_OVER_MS} ms`, async (t) => {
  const slowest: number[] = []
  while (slowest.length < 3 && !slowest.some((ms) => ms <= MOST_TAKE_OVER_MS)) {
    const tookMs = await killOne()
    slowest.push(Math.max(...tookMs))
    t.diagnostic(`${tookMs.length} clients, the last after ${Math.round(slowest.at(-1)!)} ms`)
  }
  assert.ok(Math.min(...slowest) <= MOST_TAKE_OVER_MS, `${slowest} ms`)
})

test(`who is gone or worse is so in the data plane within ${MOST_PUBLISH_MS} ms, by the median`, (t) => {
  const changes = daemon.log.filter(({ publishedMs }) => publishedMs !== undefined)
  const times = (isReady: boolean) =>
    changes
      .filter(({ state }) => (state === 'ready') === isReady)
      .map(({ publishedMs }) => Number(publishedMs))
  t.diagnostic(
    `gone or worse: ${times(false).join(' ')} ms; come, once the host was ready for it: ${times(true).join(' ')} ms`,
  )
  assert.ok(times(false).length >= 18, `only ${times(false).length} changes`)
  const median = times(false).sort((a, b) => a - b)[times(false).length >> 1]!
  assert.ok(median <= MOST_PUBLISH_MS, `${median} ms`)
})

/** The last that the daemon logged of it. */
const stateOf = (name: string) => daemon.log.findLast(({ container }) => container === name)?.state

/** Asks over UDP until another answers, so that no retransmission of TCP's is part of the time. */
async function untilTakenOver(n: number, killed: string, startMs: number): Promise<number> {
  for (;;) {
    const answer = await agent
      .udp(PUBLIC, 53, 'who?', { from: clientAddress(n), timeoutMs: 20 })
      .catch(() => undefined)
    if (answer !== undefined && JSON.parse(answer.payload).container !== killed)
      return performance.now() - startMs
    if (performance.now() - startMs > 10_000) return Number.POSITIVE_INFINITY
  }
}

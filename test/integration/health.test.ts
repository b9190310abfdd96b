import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import type { Standing } from '../../src/containers/container-list.ts'
import { FAMILIES } from '../support/families.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Container, Lab, startServer } from '../support/lab.ts'

const CLIENTS = Array.from({ length: 60 }, (_, n) => n)
const MOST_PUBLISH_MS = 50
/** Of a capture without a packet. */
const PCAP_HEADER_BYTES = 24

const lab = await Lab.open()
after(() => lab.close())
const config = lab.config()
const health = { type: 'http', interval: '100ms', timeout: '400ms', rise: 2, fall: 2 }
const daemon = await lab.startDaemon({
  config: { ...config, services: config.services.map((service) => ({ ...service, health })) },
})
after(() => daemon.stop())
const agent = await lab.client.agent()

const FAMILY = FAMILIES[0]!
const visit = async () => {
  const served = await Promise.all(
    CLIENTS.map((n) => agent.who(`${FAMILY.url}/`, { from: FAMILY.client(n) })),
  )
  return served.map(({ container }) => container)
}
const stateOf = async (name: string) =>
  (await daemon.status<Status>()).containers.find((container) => container.name === name)!.state
const untilState = (name: string, state: string) =>
  untilTrue(async () => (await stateOf(name)) === state, `${name} is ${state}`)
const turnsOf = (container: string) => daemon.log.filter((record) => record.container === container)

/** The clients of `gone` are served by others, and nobody else's container has changed. */
async function assertTakenOver(before: readonly string[], gone: string): Promise<void> {
  const now = await visit()
  assert.ok(before.includes(gone), `nobody was served by ${gone}`)
  for (const [n, container] of before.entries())
    if (container === gone) assert.notEqual(now[n], gone)
    else assert.equal(now[n], container)
}

test('checks go straight to the containers: the TUN sees none of them', async () => {
  const capture = await lab.capture(lab.host, 'onehop0', 'tcp')
  const checked = ({ log }: (typeof lab.containers)[number]) => log.length
  const counts = lab.containers.map(checked)
  await untilTrue(() => lab.containers.every((one, i) => checked(one) >= counts[i]! + 3), 'three checks each')
  await capture.stop()
  assert.equal(statSync(capture.file).size, PCAP_HEADER_BYTES)
  assert.ok(lab.containers.every(({ log }) => log.every(({ peer }) => peer === '10.77.0.1')))
  const { containers } = await daemon.status<Status>()
  assert.ok(containers.every(({ state, in: { packets } }) => state === 'ready' && packets === 0))
})

test('a frozen server is down: its clients are answered by others, and it comes back', async () => {
  const [frozen] = lab.containers
  const before = await visit()
  frozen!.server.signal('SIGSTOP')
  await untilState(frozen!.name, 'down')
  assert.equal(turnsOf(frozen!.name).at(-1)?.failure, 'no answer within 400 ms')
  const { stdout } = await daemon.ask('containers', 'list', '--json')
  const standing = JSON.parse(stdout).find((one: Standing) => one.container === frozen!.name)
  assert.deepEqual([standing.state, standing.reason], ['down', 'health'])
  await assertTakenOver(before, frozen!.name)
  frozen!.server.signal('SIGCONT')
  await untilState(frozen!.name, 'ready')
})

test('a killed server is down, and up again when another listens in its place', async () => {
  const killed = lab.containers[1]!
  const before = await visit()
  killed.server.kill()
  await untilState(killed.name, 'down')
  assert.equal(turnsOf(killed.name).at(-1)?.failure, 'ECONNREFUSED')
  await assertTakenOver(before, killed.name)
  startServer(killed.namespace, { http: [8080], udp: [5353] })
  await untilState(killed.name, 'ready')
})

test(`each change reached the data plane within ${MOST_PUBLISH_MS} ms`, () => {
  const times = daemon.log.map(({ publishedMs }) => publishedMs).filter((ms) => ms !== undefined)
  assert.ok(times.length >= 4, `only ${times.length} changes`)
  assert.deepEqual(
    times.filter((ms) => Number(ms) > MOST_PUBLISH_MS),
    [],
  )
})

test('ICMP checks see a container that cannot be reached, UDP checks one that does not answer', async () => {
  await daemon.stop()
  const [byIcmp, byIcmp6, byUdp] = lab.containers as [Container, Container, Container]
  const often = { interval: '100ms', timeout: '400ms', rise: 2, fall: 2 }
  const [web] = config.services
  const other = await lab.startDaemon({
    config: {
      ...config,
      services: [
        {
          ...web,
          containers: [
            { name: byIcmp.name, address: byIcmp.address },
            { name: byIcmp6.name, address6: byIcmp6.address6 },
          ],
          health: { type: 'icmp', ...often },
        },
        {
          ...web,
          name: 'dns',
          addresses: ['203.0.113.53'],
          ports: ['53/udp->5353'],
          containers: [{ name: byUdp.name, address: byUdp.address }],
          health: { type: 'udp', send: 'who?', expect: '{"container"', ...often },
        },
      ],
    },
  })
  after(() => other.stop())
  const states = async () =>
    (await other.status<Status>()).containers.map(({ name, state }) => `${name} ${state}`).join()
  const untilStates = (expected: string) => untilTrue(async () => (await states()) === expected, expected)
  const checked = byUdp.log.length
  await untilTrue(() => byUdp.log.length >= checked + 3, 'three UDP checks')
  await untilStates('c1 ready,c2 ready,c3 ready')

  for (const { port } of [byIcmp, byIcmp6]) await lab.host.run(['ip', 'link', 'set', port, 'down'])
  byUdp.server.signal('SIGSTOP')
  await untilStates('c1 down,c2 down,c3 down')
  for (const { name } of lab.containers)
    assert.match(
      String(other.log.filter(({ container }) => container === name).at(-1)?.failure),
      /no answer|EHOSTUNREACH/,
    )

  for (const { port } of [byIcmp, byIcmp6]) await lab.host.run(['ip', 'link', 'set', port, 'up'])
  byUdp.server.signal('SIGCONT')
  await untilStates('c1 ready,c2 ready,c3 ready')
})

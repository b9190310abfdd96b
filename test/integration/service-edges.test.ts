/** Services that overlap, have no container, one or a thousand, or are ten thousand. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES, type Family, inUrl } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { ping } from '../support/lab/ping.ts'
import { mapLimited } from '../support/lab/until.ts'
import { type Lab, withLab } from '../support/lab.ts'

const MOST_SPECIFIC = 10
const EVERY_PROTOCOL = 11
const REJECTING = 12
const SILENT = 13

const publicAddress = ({ name }: Family, number: number): string =>
  name === 'IPv4' ? `203.0.113.${number}` : `2001:db8:53::${number}`

/** Each service at the public addresses of its number, and with the containers numbered. */
function configOf(lab: Lab) {
  const config = lab.config()
  const all = config.services[0]!.containers
  const service = (
    name: string,
    at: number,
    ports: readonly string[] | 'all',
    numbers: number[],
    settings = {},
  ) => ({
    ...{ name, ports, ...settings },
    addresses: FAMILIES.map((family) => publicAddress(family, at)),
    containers: numbers.map((number) => all[number - 1]!),
  })
  return {
    ...config,
    services: [
      service('port', MOST_SPECIFIC, ['80/tcp->8080'], [1]),
      service('rest', MOST_SPECIFIC, 'all', [2]),
      service('both-protocols', EVERY_PROTOCOL, ['53/any->5353'], [3]),
      service('another-port', EVERY_PROTOCOL, ['80/tcp->8080'], [1]),
      service('rejecting', REJECTING, ['80/tcp', '53/udp'], []),
      service('silent', SILENT, ['80/tcp', '53/udp'], [], { empty: 'drop' }),
    ],
  }
}

async function containerOf(agent: Agent, address: string, port: number, from: string): Promise<string> {
  return (await agent.who(`http://${inUrl(address)}:${port}/`, { from })).container
}

async function containerOverUdp(agent: Agent, address: string, port: number, from: string): Promise<string> {
  return JSON.parse((await agent.udp(address, port, 'who?', { from })).payload).container
}

test('a port goes before the rest of its address, and 53/any is both protocols', () =>
  withLab({ http: [8080, 5353] }, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    const agent = await lab.client.agent()
    for (const family of FAMILIES) {
      const from = family.client(1)
      const specific = publicAddress(family, MOST_SPECIFIC)
      assert.equal(await containerOf(agent, specific, 80, from), 'c1')
      assert.equal(await containerOf(agent, specific, 8080, from), 'c2')
      assert.equal(await containerOverUdp(agent, specific, 5353, from), 'c2')
      await ping(lab.client, specific, { from })
      const both = publicAddress(family, EVERY_PROTOCOL)
      assert.equal(await containerOf(agent, both, 53, from), 'c3')
      assert.equal(await containerOverUdp(agent, both, 53, from), 'c3')
      assert.equal(await containerOf(agent, both, 80, from), 'c1')
      assert.equal(await agent.connect(both, 81, { from }), 'ECONNREFUSED')
    }
    await daemon.stop()
  }))

test('a service without containers refuses at once, or is silent', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    const agent = await lab.client.agent()
    const capture = await lab.capture(lab.client, 'eth0', 'icmp or icmp6')
    for (const family of FAMILIES) {
      const from = family.client(1)
      const options = { from, timeoutMs: 500 }
      const [rejecting, silent] = [publicAddress(family, REJECTING), publicAddress(family, SILENT)]
      assert.equal(await agent.connect(rejecting, 80, options), 'ECONNREFUSED')
      await assert.rejects(agent.udp(rejecting, 53, 'x', options), { code: 'ECONNREFUSED' })
      assert.equal(await agent.connect(silent, 80, options), 'ETIMEDOUT')
      await assert.rejects(agent.udp(silent, 53, 'x', options), { code: 'ETIMEDOUT' })
    }
    await capture.stop()
    const errors = await lab.client.run(['tcpdump', '-n', '-r', capture.file])
    for (const family of FAMILIES) {
      const from = (number: number) => `${publicAddress(family, number)} > ${family.client(1)}:`
      assert.match(errors, new RegExp(`${from(REJECTING)} ICMP.* unreachable`))
      assert.ok(!errors.includes(from(SILENT)))
    }
    await daemon.stop()
  }))

const CONTAINERS = 1_000
const CLIENTS = 1_500

/** All in the first container's namespace, each at an address of its own, which the host reaches through that one. */
const manyContainers = Array.from({ length: CONTAINERS }, (_, i) => ({
  name: `many-${i + 1}`,
  address: `10.80.${(i + 1) >> 8}.${(i + 1) & 255}`,
  address6: `fd80::${(i + 1).toString(16)}`,
}))

test(`${CONTAINERS} containers of one service are all used, and each client keeps its own`, () =>
  withLab({ containers: 1 }, async (lab) => {
    await lab.containers[0]!.namespace.script(
      'ip route add local 10.80.0.0/16 dev lo\nip route add local fd80::/64 dev lo',
    )
    await lab.host.script('ip route add 10.80.0.0/16 via 10.77.0.11\nip route add fd80::/64 via fd77::11')
    const config = lab.config()
    const services = [{ ...config.services[0]!, ports: ['80/tcp->8080'], containers: manyContainers }]
    const daemon = await lab.startDaemon({ config: { ...config, services } })
    const agent = await lab.client.agent()
    for (const { url, client } of FAMILIES)
      for (let round = 0; round < 2; round++)
        await mapLimited(
          Array.from({ length: CLIENTS }, (_, n) => client(n)),
          40,
          async (from) => assert.equal((await agent.who(`${url}/`, { from })).peer, from),
        )
    const { containers, table, verdicts } = await daemon.status<Status>()
    // Of 3,000 sources, 1,000 × e^-3 containers have none: 50, give or take 7.
    const used = containers.filter(({ in: { packets } }) => packets > 0).length
    assert.ok(used > 900 && used < 990, `${used} containers used`)
    assert.deepEqual([table.entries, table.moved], [2 * CLIENTS, 0])
    assert.deepEqual(
      verdicts.filter(({ verdict }) => verdict === 'drop'),
      [],
    )
    await daemon.stop()
  }))

const SERVICES = 10_000
const FIRST_PORT = 10_000
/** Of the services that the containers serve: the others listen to nobody. */
const SERVED = [0, 4_999, SERVICES - 1]

const addressOfService = ({ name }: Family, i: number): string =>
  name === 'IPv4' ? `10.201.${i >> 8}.${i & 255}` : `fd00:201::${(i + 1).toString(16)}`

function tenThousand(lab: Lab) {
  const config = lab.config()
  const { containers } = config.services[0]!
  const services = Array.from({ length: SERVICES }, (_, i) => ({
    name: `service-${i}`,
    addresses: FAMILIES.map((family) => addressOfService(family, i)),
    ports: [`80/tcp->${FIRST_PORT + i}`],
    containers,
  }))
  return { ...config, services }
}

/** On a busy machine it takes a minute and more. */
const untilLogged = (daemon: Daemon, wanted: string, of?: number): Promise<void> => {
  const isLogged = () =>
    daemon.log.some(({ msg, services }) => msg === wanted && (of === undefined || services === of))
  return daemon.running.until(isLogged, wanted, 300_000)
}

const residentMb = ({ running }: Daemon): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8'))![1]) / 1024)

async function askServed(agent: Agent, from: (family: Family) => string): Promise<void> {
  for (const family of FAMILIES)
    for (const i of SERVED) {
      const address = addressOfService(family, i)
      const { peer } = await agent.who(`http://${inUrl(address)}/`, { from: from(family) })
      assert.equal(peer, from(family))
      assert.equal(await agent.connect(address, 81, { from: from(family) }), 'ECONNREFUSED')
    }
}

test(`${SERVICES} services with an address of either family each, through a reload`, () =>
  withLab({ containers: 2, http: SERVED.map((i) => FIRST_PORT + i) }, async (lab) => {
    const config = tenThousand(lab)
    const started = performance.now()
    const daemon = lab.launchDaemon({ config })
    await untilLogged(daemon, 'ready')
    const readySeconds = (performance.now() - started) / 1000
    const agent = await lab.client.agent()
    await askServed(agent, ({ client }) => client(1))

    daemon.writeConfig({ ...config, services: config.services.slice(0, -1) })
    const reloaded = performance.now()
    daemon.running.signal('SIGHUP')
    await untilLogged(daemon, 'reloaded')
    const reloadSeconds = (performance.now() - reloaded) / 1000
    const [last] = SERVED.slice(-1)
    const gone = addressOfService(FAMILIES[0]!, last!)
    assert.notEqual(await agent.connect(gone, 80, { timeoutMs: 500 }), 'open')
    daemon.writeConfig(config)
    daemon.running.signal('SIGHUP')
    await untilLogged(daemon, 'reloaded', SERVICES)
    await askServed(agent, ({ client }) => client(2))
    console.error(
      `${SERVICES} services: ready in ${readySeconds.toFixed(1)} s, reloaded in ${reloadSeconds.toFixed(1)} s, ${residentMb(daemon)} MB resident`,
    )
    await daemon.stop()
  }))

/** What traceroute sees of the way to a service: the host, and whatever is behind it under the public address. */
import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { FAMILIES } from '../support/families.ts'
import { Lab } from '../support/lab.ts'

const ROUTERS = { IPv4: '198.18.1.1', IPv6: '2001:db8:181::1' }
/** A service with `ports: all`, beside the one with single ports. */
const WHOLE = { IPv4: '203.0.113.11', IPv6: '2001:db8:53::11' }

const lab = await Lab.open({ containers: 1, clientRouter: {}, containerRouter: {} })
after(() => lab.close())
const { services, ...config } = lab.config()
const [web] = services
const whole = { ...web!, name: 'whole', addresses: Object.values(WHOLE), ports: 'all' }
const daemon = await lab.startDaemon({ config: { ...config, services: [web, whole] } })
after(() => daemon.stop())

let traces = 0

/** The address at each hop, asked one at a time. Each from a client of its own, for routers limit what they tell one. */
async function trace(client: (n: number) => string, ...more: readonly string[]): Promise<string[]> {
  const words = ['-s', client(traces++), ...more]
  const text = await lab.client.run([
    'traceroute',
    '-n',
    '-q',
    '1',
    '-w',
    '5',
    '-m',
    '8',
    '-N',
    '1',
    ...words,
  ])
  const lines = text.trimEnd().split('\n').slice(1)
  return lines.map((line) => line.trim().split(/\s+/)[1]!)
}

/** The container is behind a router, whose errors bear the public address too; what onehop answers itself is nearer. */
const PROBES = {
  'UDP to a port that answers': { words: ['-U', '-p', '53'], reachesContainer: true },
  'UDP to unused ports': { words: [], reachesContainer: false },
  'ICMP echo': { words: ['-I'], reachesContainer: false },
  'TCP SYN': { words: ['-T', '-p', '80'], reachesContainer: true },
}

for (const { name, service, client, host } of FAMILIES)
  for (const [probe, { words, reachesContainer }] of Object.entries(PROBES))
    test(`${probe}, over ${name}`, async () => {
      const before = [ROUTERS[name], host]
      const behind = reachesContainer ? [service, service] : [service]
      assert.deepEqual(await trace(client, ...words, service), [...before, ...behind])
      assert.deepEqual(await trace(client, ...words, WHOLE[name]), [...before, WHOLE[name], WHOLE[name]])
    })

/**
 * net.ipv4.icmp_ratelimit and net.ipv6.icmp.ratelimit: six at once, then one a second for each client, but sixteen over
 * IPv6 by way of a default route (icmpv6_xrlim_allow in net/ipv6/icmp.c).
 */
const MORE_A_SECOND = { IPv4: 1, IPv6: 16 }

for (const { name, service, client, host } of FAMILIES)
  test(`the kernel limits how often it says time exceeded over ${name}`, async () => {
    const ping = ['ping', '-n', '-c', '100', '-i', '0.002', '-W', '1', '-t', '2', '-I', client(999), service]
    const start = performance.now()
    const { stdout } = await lab.client.attempt(ping)
    const told = stdout.split('\n').filter((line) => /exceeded/.test(line))
    const most = 6 + MORE_A_SECOND[name] * (1 + (performance.now() - start) / 1_000)
    assert.ok(told.length >= 1 && told.length <= most, `${told.length} of 100, at most ${most}`)
    for (const line of told) assert.ok(line.includes(`From ${host} `), line)
  })

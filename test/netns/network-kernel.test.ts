import assert from 'node:assert/strict'
import test, { after, afterEach } from 'node:test'
import type { Namespace } from '../support/lab/namespace.ts'
import { untilTrue } from '../support/lab/until.ts'
import { intentOf, NetworkHost, WEB, WHOLE } from '../support/network/network-host.ts'

/** What the kernel does with packets while a set-up stands, and what it keeps doing. */
const world = await NetworkHost.open()
after(() => world.close())
afterEach(() => world.down())
const { host, lan, container } = world

interface Datagram {
  readonly from: Namespace
  /** Address and port it is sent from; `0` lets the kernel choose. */
  readonly address: string
  readonly port: number
  readonly to: string
  readonly toPort: number
}

const SEND = `
const [address, port, to, toPort] = process.argv.slice(1)
const socket = require('node:dgram').createSocket(to.includes(':') ? 'udp6' : 'udp4')
socket.bind(Number(port), address, () => socket.send('x', Number(toPort), to, () => socket.close()))`

const send = ({ from, address, port, to, toPort }: Datagram): Promise<string> =>
  from.run([process.execPath, '-e', SEND, address, String(port), to, String(toPort)])

/** Counts what is forwarded, or reaches the host, by where it goes and whether it is tracked. */
const WATCH = `nft -f - <<'END'
table inet watch {
  set seen { type ifname . inet_service . ct_state; flags dynamic; }
  chain forward { type filter hook forward priority 10; udp dport 7000-7999 add @seen { oifname . udp dport . ct state }; }
  chain input { type filter hook input priority 10; udp dport 7000-7999 add @seen { iifname . udp dport . ct state }; }
}
END`

async function seen(): Promise<string[]> {
  const { nftables } = JSON.parse(await host.run(['nft', '-j', 'list', 'set', 'inet', 'watch', 'seen']))
  const elements = nftables.flatMap(
    ({ set }: { set?: { elem?: { concat: unknown[] }[] } }) => set?.elem ?? [],
  )
  return elements.map(({ concat }: { concat: unknown[] }) => concat.join(' ')).sort()
}

const FAMILIES = {
  IPv4: {
    container: '10.77.0.11',
    host: '10.77.0.1',
    lan: '198.18.0.2',
    public: '203.0.113.10',
    any: '0.0.0.0',
  },
  IPv6: {
    container: 'fd77::11',
    host: 'fd77::1',
    lan: '2001:db8:18::2',
    public: '2001:db8:53::10',
    any: '::',
  },
}

for (const [family, at] of Object.entries(FAMILIES))
  test(`only a service's own ${family} packets go into the TUN, and untracked`, async () => {
    await world.up(intentOf())
    await host.script(WATCH)
    const answer = { from: container, address: at.container, port: 5353 }
    const packets: readonly [Datagram, string][] = [
      [{ ...answer, to: at.lan, toPort: 7001 }, 'onehop0 7001 untracked'],
      [{ ...answer, port: 5354, to: at.lan, toPort: 7002 }, 'up0 7002 new'],
      [{ ...answer, to: at.host, toPort: 7003 }, 'br0 7003 new'],
      [{ from: lan, address: at.any, port: 0, to: at.public, toPort: 7004 }, 'onehop0 7004 untracked'],
      [{ from: lan, address: at.any, port: 0, to: at.container, toPort: 7005 }, 'br0 7005 new'],
    ]
    for (const [datagram] of packets) await send(datagram)
    const expected = packets.map(([, line]) => line).sort()
    await untilTrue(async () => (await seen()).length >= expected.length, 'all packets')
    assert.deepEqual(await seen(), expected)
    await host.run(['nft', 'delete', 'table', 'inet', 'watch'])
  })

test('everything that a container of all ports answers goes into the TUN', async () => {
  await world.up(intentOf({ services: [{ ...WHOLE, containers: WEB.containers }] }))
  await host.script(WATCH)
  for (const { container: address, lan: to } of Object.values(FAMILIES))
    await send({ from: container, address, port: 5354, to, toPort: 7002 })
  await untilTrue(async () => (await seen()).length > 0, 'a packet')
  assert.deepEqual(await seen(), ['onehop0 7002 untracked'])
  await host.run(['nft', 'delete', 'table', 'inet', 'watch'])
})

for (const [family, address] of [
  ['IPv4', '198.18.0.10'],
  ['IPv6', '2001:db8:18::10'],
] as const)
  test(`a neighbour on the uplink's link finds the public ${family} address there, and no longer after`, async () => {
    const look = async () => {
      await lan.attempt(['ping', '-c', '1', '-W', '1', address])
      const found = JSON.parse((await lan.run(['ip', '-j', 'neigh', 'show', 'to', address])) || '[]')
      return (found[0] as { lladdr?: string } | undefined)?.lladdr
    }
    const [uplink] = JSON.parse(await host.run(['ip', '-j', 'link', 'show', 'up0']))
    await world.up(intentOf())
    assert.equal(await look(), uplink.address)
    await world.down()
    await lan.run(['ip', 'neigh', 'flush', 'to', address])
    assert.equal(await look(), undefined)
  })

for (const program of ['iptables-nft', 'iptables-legacy', 'ip6tables-nft', 'ip6tables-legacy'])
  test(`Docker's chain in ${program} accepts the TUN behind the administrator's rules, and is as before after`, async () => {
    await host.script(`
      ${program} -N DOCKER-USER
      ${program} -A FORWARD -j DOCKER-USER
      ${program} -A DOCKER-USER -i up9 -j DROP
      ${program} -A DOCKER-USER -j RETURN`)
    const list = () => host.run([program, '-S', 'DOCKER-USER'])
    const before = await list()
    await world.up(intentOf())
    await world.up(intentOf())
    const accept = (direction: string) =>
      `-A DOCKER-USER ${direction} onehop0 -m comment --comment "onehop onehop0" -j ACCEPT`
    assert.deepEqual((await list()).trimEnd().split('\n').slice(1), [
      '-A DOCKER-USER -i up9 -j DROP',
      accept('-o'),
      accept('-i'),
      '-A DOCKER-USER -j RETURN',
    ])
    await world.down()
    assert.equal(await list(), before)
    await host.script(`${program} -F FORWARD; ${program} -F DOCKER-USER; ${program} -X DOCKER-USER`)
  })

for (const program of ['iptables-nft', 'iptables-legacy', 'ip6tables-nft', 'ip6tables-legacy'])
  test(`where Docker has no such chain, ${program} accepts the TUN in FORWARD; and before Docker's raw drops, if there are any`, async () => {
    const own = program.startsWith('ip6') ? 'fd77::11/128' : '10.77.0.11/32'
    await host.script(`
      ${program} -N DOCKER
      ${program} -A FORWARD -o br0 -j DOCKER
      ${program} -t raw -A PREROUTING -d ${own} ! -i br0 -j DROP`)
    const list = async () => [
      ...(await host.run([program, '-S', 'FORWARD'])).trimEnd().split('\n').slice(1),
      ...(await host.run([program, '-t', 'raw', '-S', 'PREROUTING'])).trimEnd().split('\n').slice(1),
    ]
    const before = await list()
    await world.up(intentOf())
    await world.up(intentOf())
    const accept = (direction: string) =>
      `${direction} onehop0 -m comment --comment "onehop onehop0" -j ACCEPT`
    assert.deepEqual(await list(), [
      '-A FORWARD -o br0 -j DOCKER',
      `-A FORWARD ${accept('-i')}`,
      `-A FORWARD ${accept('-o')}`,
      `-A PREROUTING ${accept('-i')}`,
      `-A PREROUTING -d ${own} ! -i br0 -j DROP`,
    ])
    await world.down()
    assert.deepEqual(await list(), before)
    await host.script(`${program} -F FORWARD; ${program} -X DOCKER; ${program} -t raw -F PREROUTING`)
  })

/** A router advertisement (RFC 4861 section 4.2): hop limit 64, lifetime 1800 s; the kernel fills the checksum. */
const ADVERTISE = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.sendto(bytes([134, 0, 0, 0, 64, 0]) + (1800).to_bytes(2, 'big') + bytes(8), ('ff02::1%eth0', 0))`

test('before Linux 6.17, a default route from a router advertisement outlives up and down', async () => {
  const defaults = () => host.run(['ip', '-6', 'route', 'show', 'default', 'proto', 'ra'])
  await untilTrue(async () => {
    await lan.run(['python3', '-c', ADVERTISE])
    return (await defaults()) !== ''
  }, 'a default route')
  const forwarding = () => host.run(['cat', '/proc/sys/net/ipv6/conf/all/forwarding'])
  await world.part({ intent: intentOf(), isOldKernel: true })
  assert.equal(await forwarding(), '1\n')
  assert.match(await defaults(), /^default via fe80/)
  await world.down()
  assert.equal(await forwarding(), '0\n')
  assert.match(await defaults(), /^default via fe80/)
})

const FLAGS = [
  ...['--bridge', 'br0', '--uplink', 'up0'],
  ...['--service', '203.0.113.10:80/tcp', '--container', 'c1=10.77.0.11'],
]

interface Finding {
  readonly need: string
  readonly state: string
  readonly found: string
  readonly remedy?: string
}

/** Without the addon, which may not have been built yet. */
async function doctor(...argv: readonly string[]): Promise<readonly Finding[]> {
  const { stdout, stderr, code } = await world.onehop('doctor', ...argv, '--json')
  assert.equal(stderr, '')
  const findings = JSON.parse(stdout) as Finding[]
  assert.equal(code, findings.some(({ state }) => state === 'problem') ? 1 : 0)
  return findings.filter(({ need }) => need !== 'native addon')
}

const problems = (findings: readonly Finding[]) =>
  findings
    .filter(({ state }) => state === 'problem')
    .map(({ need, found, remedy }) => `${need}: ${found} -> ${remedy}`)

test('doctor finds nothing wrong with a healthy host, before and after up', async () => {
  assert.deepEqual(problems(await doctor()), [])
  assert.deepEqual(problems(await doctor(...FLAGS)), [])
  await world.onehop('routes', 'up', ...FLAGS)
  const findings = await doctor(...FLAGS)
  assert.deepEqual(problems(findings), [])
  assert.equal(findings.find(({ need }) => need === 'set-up')?.found, 'complete for onehop0')
})

test('doctor names what is broken, each with its remedy, and the remedies mend it', async () => {
  await world.onehop('routes', 'up', ...FLAGS)
  await host.script(`
    echo 0 > /proc/sys/net/ipv4/conf/onehop0/rp_filter
    echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter
    ip route del 203.0.113.10
    nft add table inet wall
    nft add chain inet wall forward '{ type filter hook forward priority 0; policy drop; }'
    iptables-legacy -P FORWARD DROP`)
  const found = problems(await doctor(...FLAGS))
  assert.deepEqual(found, [
    'set-up: no net/ipv4/conf/onehop0/rp_filter = 2; no 203.0.113.10 dev onehop0 proto 111 -> onehop routes up',
    'rp_filter onehop0: strict -> sysctl -w net/ipv4/conf/onehop0/rp_filter=2',
    'firewall: nft inet wall forward drops by policy and does not accept onehop0 -> nft insert rule inet wall forward iifname onehop0 accept; nft insert rule inet wall forward oifname onehop0 accept',
    'firewall: iptables-legacy FORWARD drops by policy and does not accept onehop0 -> iptables-legacy -I FORWARD -i onehop0 -j ACCEPT; iptables-legacy -I FORWARD -o onehop0 -j ACCEPT',
  ])
  await world.onehop('routes', 'up', ...FLAGS)
  for (const problem of found.slice(1)) await host.script(problem.split(' -> ')[1]!)
  assert.deepEqual(problems(await doctor(...FLAGS)), [])
  await host.script(`
    echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
    nft delete table inet wall
    iptables-legacy -P FORWARD ACCEPT
    iptables-legacy -F FORWARD`)
})

test('doctor says what an ordinary user cannot see', async () => {
  const { stdout } = await host.attempt([
    ...['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'],
    ...[
      process.execPath,
      '--import',
      import.meta.resolve('tsx'),
      new URL('../../src/main.ts', import.meta.url).pathname,
    ],
    ...['doctor', '--json', '--run-dir', world.runDir, ...FLAGS],
  ])
  const findings = JSON.parse(stdout) as Finding[]
  assert.equal(findings.find(({ need }) => need === 'CAP_NET_ADMIN')?.state, 'problem')
  assert.equal(findings.find(({ need }) => need === 'firewall')?.state, 'unknown')
})

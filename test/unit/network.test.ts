import assert from 'node:assert/strict'
import test from 'node:test'
import { formatPrefix } from '../../src/address.ts'
import { parsePrefix } from '../../src/config/address.ts'
import { parseConfig } from '../../src/config/load.ts'
import { formatStep } from '../../src/network/apply.ts'
import { runCommand } from '../../src/network/command.ts'
import { findConflicts } from '../../src/network/conflicts.ts'
import type { Host, Link, Route } from '../../src/network/host.ts'
import { type NetworkIntent, networkIntent, widened } from '../../src/network/intent.ts'
import type { Journal } from '../../src/network/journal.ts'
import { numbersOf } from '../../src/network/numbers.ts'
import { EMPTY_SETUP, standingSetup, wantedSetup } from '../../src/network/setup.ts'
import { localSources } from '../../src/network/sources.ts'
import { keepBridges } from '../../src/network/standing.ts'
import { steps } from '../../src/network/transition.ts'

function intentOf(services: readonly unknown[], interfaces: Record<string, unknown> = {}): NetworkIntent {
  const value = { version: 1, interfaces: { bridges: ['br0'], uplinks: ['up0'], ...interfaces }, services }
  return networkIntent(parseConfig(JSON.stringify(value), 'test'))
}

const WEB = {
  name: 'web',
  addresses: ['203.0.113.10'],
  ports: ['80/tcp->8080', '53/udp'],
  containers: [{ name: 'a', address: '10.77.0.11', address6: 'fd77::11' }],
}

const link = (ifname: string, more: Partial<Link> = {}): Link => ({
  ifname,
  mtu: 1500,
  flags: ['UP', 'LOWER_UP'],
  link_type: 'ether',
  ...more,
})

const UPLINK_ROUTES: readonly Route[] = [
  { family: 4, dst: 'default', dev: 'up0', gateway: '198.18.0.2' },
  { family: 4, dst: '198.18.0.0/24', dev: 'up0', protocol: '2' },
]

interface HostOptions extends Partial<Omit<Host, 'sysctls'>> {
  readonly sysctls?: Readonly<Record<string, string>>
}

/** A host with br0 and up0; sysctls are 0 where not given, and IPv6's are those of a kernel before 6.17. */
function hostOf({ sysctls = {}, ...more }: HostOptions = {}): Host {
  return {
    links: [link('up0'), link('br0', { mtu: 1450, linkinfo: { info_kind: 'bridge' } })],
    addresses: [],
    routes: UPLINK_ROUTES,
    tunRoutes: [],
    rules: [],
    proxies: [],
    filter: undefined,
    acceptChains: [],
    journals: new Map(),
    sysctls: {
      get: (key) => sysctls[key] ?? (key.endsWith('force_forwarding') ? undefined : '0'),
      interfaces6: () => ['br0', 'lo', 'up0'],
    },
    mayAdminister: true,
    ...more,
  }
}

const RUN_DIR = '/run/onehop'

const plan = (intent: NetworkIntent, host: Host): string =>
  steps(intent.tun, standingSetup(intent.tun, host), wantedSetup(intent, host), host)
    .map((step) => formatStep(step, RUN_DIR))
    .join('\n')

test('an endpoint is where a container answers from, in the families its service has', () => {
  const both = { ...WEB, name: 'six', addresses: ['203.0.113.11', '2001:db8::11'], ports: ['443/tcp'] }
  const endpoints = intentOf([WEB, { ...both, containers: [{ ...WEB.containers[0], port: 8443 }] }]).endpoints
  assert.deepEqual(
    endpoints.map(({ address, protocol, port }) => `${address} ${protocol} ${port}`),
    [
      '0a4d000b tcp 8080',
      '0a4d000b udp 53',
      '0a4d000b tcp 8443',
      'fd770000000000000000000000000011 tcp 8443',
    ],
  )
})

test('a container of a service with all ports has no endpoints but answers whole', () => {
  const intent = intentOf([{ ...WEB, ports: 'all' }])
  assert.deepEqual(intent.endpoints, [])
  assert.deepEqual(intent.wholeContainers, ['0a4d000b'])
  assert.deepEqual(intent.containers, ['0a4d000b'])
})

test('what several services share is there once', () => {
  const intent = intentOf([WEB, { ...WEB, name: 'other', ports: ['8080/tcp'] }])
  assert.deepEqual(intent.publicAddresses, ['cb00710a'])
  assert.equal(intent.endpoints.length, 2)
  assert.deepEqual(intent.containers, ['0a4d000b'])
})

test('neighbouring TUN names have numbers of their own', () => {
  const all = ['onehop0', 'onehop1', 'onehop2'].map(numbersOf)
  for (const number of ['preference', 'table', 'mark', 'nftTable'] as const)
    assert.equal(new Set(all.map((numbers) => numbers[number])).size, 3, number)
})

test('an nft table has a name that nft takes and that no other TUN has', () => {
  const names = ['onehop0', 'a-b', 'a_b', 'a.b', 'a+b', 'ä', 'a/'].map((tun) => numbersOf(tun).nftTable)
  assert.equal(new Set(names).size, names.length)
  for (const name of names) assert.match(name, /^[a-z][A-Za-z0-9/._-]*$/)
})

test('the plan begins with what it remembers and ends with the public routes', () => {
  const lines = plan(intentOf([WEB]), hostOf()).split('\n')
  assert.deepEqual(lines.slice(0, 3), [
    '# remember in /run/onehop/onehop0.network.json:',
    '#   net/ipv4/conf/up0/forwarding = 0',
    '#   net/ipv4/conf/br0/forwarding = 0',
  ])
  assert.deepEqual(lines.slice(-4), [
    "ip -batch - <<'EOF'",
    'route add 240.0.0.0/4 dev onehop0 proto 111 metric 841',
    'route add 203.0.113.10 dev onehop0 proto 111',
    'EOF',
  ])
})

test('uplinks default to the interfaces of the default routes, several next hops included', () => {
  const routes: Route[] = [
    { family: 4, dst: 'default', nexthops: [{ dev: 'up0' }, { dev: 'up1' }] },
    { family: 6, dst: 'default', dev: 'up2' },
    { family: 4, dst: '10.0.0.0/8', dev: 'up3' },
  ]
  const { sysctls } = wantedSetup(intentOf([WEB], { uplinks: [] }), hostOf({ routes }))
  assert.deepEqual(
    sysctls.map(({ key }) => key),
    ['up0', 'up1', 'up2', 'br0'].map((name) => `net/ipv4/conf/${name}/forwarding`),
  )
})

test('a public address on the link of an uplink is answered for there, and only there', () => {
  const routes: Route[] = [
    ...UPLINK_ROUTES,
    { family: 4, dst: '203.0.113.0/24', dev: 'br0' },
    { family: 4, dst: '203.0.113.0/25', dev: 'up0', gateway: '198.18.0.2' },
  ]
  const intent = intentOf([{ ...WEB, addresses: ['203.0.113.10', '198.18.0.10', '198.18.1.10'] }])
  const { proxies } = wantedSetup(intent, hostOf({ routes }))
  assert.deepEqual([...proxies], ['198.18.0.10 dev up0 protocol 111'])
})

const SIX = { ...WEB, addresses: ['2001:db8:53::10'] }

test('before Linux 6.17, all listeners go on hearing router advertisements before forwarding begins', () => {
  const host = hostOf({
    sysctls: {
      'net/ipv6/conf/up0/accept_ra': '1',
      'net/ipv6/conf/lo/accept_ra': '1',
      'net/ipv6/conf/br0/accept_ra': '1',
      'net/ipv6/conf/br0/forwarding': '1',
    },
  })
  assert.deepEqual(wantedSetup(intentOf([SIX]), host).sysctls, [
    { key: 'net/ipv6/conf/up0/accept_ra', before: '1', value: '2' },
    {
      key: 'net/ipv6/conf/all/forwarding',
      before: '0',
      value: '1',
      kept: ['net/ipv6/conf/br0/forwarding'],
    },
  ])
})

test('since Linux 6.17 only the interfaces concerned forward', () => {
  const keys = ['all', 'up0', 'br0', 'onehop0'].map((name) => `net/ipv6/conf/${name}/force_forwarding`)
  const host = hostOf({ sysctls: Object.fromEntries(keys.map((key) => [key, '0'])) })
  assert.deepEqual(wantedSetup(intentOf([SIX]), host).sysctls, [
    { key: 'net/ipv6/conf/up0/force_forwarding', before: '0', value: '1' },
    { key: 'net/ipv6/conf/br0/force_forwarding', before: '0', value: '1' },
  ])
})

const journalOf = (key: string, before: string, value: string): Journal => ({
  sysctls: [{ key, before, value }],
})

const FORWARDING = 'net/ipv4/conf/up0/forwarding'

const undo = (host: Host): string =>
  steps('onehop0', standingSetup('onehop0', host), EMPTY_SETUP, host)
    .map((step) => formatStep(step, RUN_DIR))
    .join('\n')

test('a sysctl is put back to what it was', () => {
  const journals = new Map([['onehop0', journalOf(FORWARDING, '0', '1')]])
  assert.equal(
    undo(hostOf({ journals, sysctls: { [FORWARDING]: '1' } })),
    `sysctl -qw ${FORWARDING}=0\n# forget /run/onehop/onehop0.network.json`,
  )
})

test('a sysctl that another TUN needs becomes that one’s to put back', () => {
  const journals = new Map([
    ['onehop0', journalOf(FORWARDING, '0', '1')],
    ['onehop1', journalOf(FORWARDING, '1', '1')],
  ])
  assert.equal(
    undo(hostOf({ journals, sysctls: { [FORWARDING]: '1' } })),
    [
      '# remember in /run/onehop/onehop1.network.json:',
      `#   ${FORWARDING} = 0`,
      '# forget /run/onehop/onehop0.network.json',
    ].join('\n'),
  )
})

test('a TUN that found a sysctl as it needs it leaves the other to put it back', () => {
  const journals = new Map([
    ['onehop0', journalOf(FORWARDING, '1', '1')],
    ['onehop1', journalOf(FORWARDING, '0', '1')],
  ])
  assert.equal(
    undo(hostOf({ journals, sysctls: { [FORWARDING]: '1' } })),
    '# forget /run/onehop/onehop0.network.json',
  )
})

test('what putting all.forwarding back would clear is set again', () => {
  const key = 'net/ipv6/conf/all/forwarding'
  const kept = ['net/ipv6/conf/br0/forwarding']
  const journals = new Map([['onehop0', { sysctls: [{ key, before: '0', value: '1', kept }] }]])
  assert.equal(
    undo(hostOf({ journals, sysctls: { [key]: '1' } })),
    `sysctl -qw ${key}=0\nsysctl -qw ${kept[0]}=1\n# forget /run/onehop/onehop0.network.json`,
  )
})

test('every conflict is told at once', () => {
  const host = hostOf({
    links: [link('up0'), link('br1', { linkinfo: { info_kind: 'bridge' } }), link('onehop0')],
    addresses: [{ ifname: 'up0', local: '203.0.113.10', prefixlen: 24 }],
    filter: [{ table: { family: 'inet', name: 'onehop_onehop0' } }],
  })
  assert.deepEqual(
    findConflicts(intentOf([WEB]), host).map((conflict) => conflict.split(';')[0]),
    [
      'bridge br0 does not exist',
      'onehop0 is taken by an interface that onehop did not make (ether)',
      'public address 203.0.113.10 is assigned to up0 of this host',
      'nft table inet onehop_onehop0 exists, but onehop did not make it',
    ],
  )
})

const own = (ifname: string, local: string, prefixlen: number) => ({ ifname, local, prefixlen })

test("local are the bridges' networks and the host's own addresses, the TUN's and a link's left out", () => {
  const sources = localSources(intentOf([WEB]), [
    own('lo', '127.0.0.1', 8),
    own('lo', '::1', 128),
    own('up0', '198.18.0.1', 24),
    own('up0', 'fe80::1', 64),
    own('br0', '10.77.0.1', 16),
    own('br0', 'fd77::1', 64),
    own('onehop0', '192.0.0.8', 32),
  ])
  assert.deepEqual(sources.map(formatPrefix), ['198.18.0.1/32', '10.77.0.0/16', 'fd77::/64'])
})

test('the config, when it says who is local, is taken at its word', () => {
  const hairpin = {
    alias4: prefix('240.0.0.0/4'),
    alias6: prefix('4000::/3'),
    sources: [prefix('10.0.0.0/8')],
  }
  const intent = { ...intentOf([WEB]), hairpin }
  assert.deepEqual(localSources(intent, [own('br0', '10.77.0.1', 16)]), hairpin.sources)
  assert.deepEqual(localSources({ ...intent, hairpin: undefined }, [own('br0', '10.77.0.1', 16)]), [])
})

const prefix = (text: string) => parsePrefix(text)!

test('an alias prefix that is routed elsewhere, or that two local sources share, is a conflict', () => {
  const routes: readonly Route[] = [
    ...UPLINK_ROUTES,
    { family: 4, dst: '250.1.0.0/16', dev: 'up0', protocol: '4' },
    { family: 4, dst: '240.0.0.0/4', dev: 'onehop1', protocol: '111', metric: 601 },
    { family: 6, dst: '4000::/2', dev: 'up0', protocol: '4' },
  ]
  const bridge = link('br0', { linkinfo: { info_kind: 'bridge' } })
  const host = hostOf({
    links: [link('up0'), bridge],
    routes,
    addresses: [own('br0', '10.77.0.1', 16), own('up0', '26.77.0.5', 24)],
  })
  assert.deepEqual(findConflicts(intentOf([WEB]), host), [
    'local sources 10.77.0.0/16 and 26.77.0.5/32 have an alias in common (250.77.0.5); expected a shorter hairpin.alias4, or hairpin.sources with only one of them',
    '250.1.0.0/16 is routed elsewhere (dev up0), within hairpin.alias4 240.0.0.0/4; expected an alias prefix that nobody uses, or hairpin: off',
  ])
  assert.deepEqual(findConflicts({ ...intentOf([WEB]), hairpin: undefined }, host), [])
})

for (const name of ['all', 'default', 'a"b', 'a*', "a'b", '-a', 'a#', 'a\\b', 'a{'])
  test(`an interface named ${name} is refused before anything reads it as something else`, () =>
    assert.match(
      findConflicts(intentOf([WEB], { tun: name }), hostOf())[0] ?? '',
      /^interface ".*": expected/,
    ))

test('a mark that another TUN uses, on the same bridge or for what the host itself sends, is a conflict', () => {
  const { mark } = numbersOf('onehop0')
  const rule = {
    family: 4,
    priority: 650,
    table: '600050',
    protocol: '111',
    iif: 'br0',
    fwmark: `0x${mark.toString(16)}`,
  } as const
  assert.match(findConflicts(intentOf([WEB]), hostOf({ rules: [rule] })).join(), /^IPv4 rule 650 .*iif br0/)
  const conflictsWith = (iif: string) => findConflicts(intentOf([WEB]), hostOf({ rules: [{ ...rule, iif }] }))
  assert.match(conflictsWith('lo').join(), /^IPv4 rule 650 .*iif lo/)
  assert.deepEqual(conflictsWith('br1'), [])
})

test('a program that is not installed is named with its package', () =>
  assert.rejects(runCommand({ argv: ['no-such-program'] }), {
    code: 'E_NETWORK',
    message: 'no-such-program: not found; expected the program of the Debian package no-such-program',
  }))

test('of a batch, the line that failed is named', () =>
  assert.rejects(runCommand({ argv: ['ip', '-batch', '-'], input: 'link show lo\nlink show nosuch0\n' }), {
    code: 'E_NETWORK',
    message: /^ip link show nosuch0: Device "nosuch0" does not exist/,
  }))

test('a bridge that nobody needs any more stays until the set-up is made anew; one that is new has it made', () => {
  const two = intentOf([WEB], { bridges: ['br0', 'br1'] })
  assert.deepEqual(keepBridges(intentOf([WEB], { bridges: ['br1'] }), two), two)
  const other = intentOf([WEB], { bridges: ['br1', 'br2'] })
  assert.equal(keepBridges(other, two), other)
})

test('what stands for a reload has the containers of both, at the public addresses of the one in force', () => {
  const other = { ...WEB, addresses: ['203.0.113.77'], containers: [{ name: 'n', address: '10.77.0.77' }] }
  const [now, next] = [intentOf([WEB], { bridges: ['br0'] }), intentOf([other], { bridges: ['br1'] })]
  const both = widened(now, next)
  assert.deepEqual(both.publicAddresses, now.publicAddresses)
  assert.deepEqual(both.bridges, ['br0', 'br1'])
  assert.deepEqual(new Set(both.containers), new Set([...now.containers, ...next.containers]))
  assert.deepEqual(new Set(both.endpoints), new Set([...now.endpoints, ...next.endpoints]))
  assert.deepEqual(widened(now, now), now)
})

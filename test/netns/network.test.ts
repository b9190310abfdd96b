import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import test, { after, afterEach } from 'node:test'
import { onehopCommand } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { intentOf, NetworkHost, WEB, WHOLE } from '../support/network/network-host.ts'

const world = await NetworkHost.open()
after(() => world.close())
const { host } = world
const before = await world.dump()

/** The host's state is what it was; if not, only the lines that differ are told. */
async function assertUnchanged(dump: string, after?: string): Promise<void> {
  const now = await world.dump()
  if (now === dump) return
  const without = (a: string, b: string) => {
    const others = new Set(b.split('\n'))
    return a.split('\n').filter((line) => !others.has(line))
  }
  assert.deepEqual({ more: without(now, dump), less: without(dump, now) }, { more: [], less: [] }, after)
  assert.equal(now, dump, after)
}

/** Every test leaves the host as it was; one that does not fails here. */
afterEach(async () => {
  await assertUnchanged(before)
  assert.deepEqual(readdirSync(world.runDir), [])
})

const assertComplete = async (intent = intentOf()): Promise<void> =>
  assert.deepEqual(await world.plan(intent), [])

test('makes all of it, does nothing when all of it stands, and undoes all of it', async () => {
  const intent = intentOf({ services: [WEB, WHOLE] })
  await world.up(intent)
  await assertComplete(intent)
  const { parts } = await world.show(intent)
  for (const { part, standing, missing, surplus } of parts)
    assert.deepEqual(
      { part, missing, surplus, isEmpty: standing.length === 0 },
      { part, missing: [], surplus: [], isEmpty: part === 'accepts' },
    )
  const full = await world.dump()
  assert.notEqual(full, before)
  await world.up(intent)
  await assertUnchanged(full)
  await world.down()
})

test('the commands of a dry run, typed into a shell, make the same', async () => {
  const intent = intentOf({ services: [WEB, WHOLE] })
  const plan = await world.plan(intent)
  await world.up(intent)
  const full = await world.dump()
  await world.down()
  await host.run(['bash', '-eu'], { input: plan.join('\n') })
  const withoutIndex = (dump: string) => dump.replace(/^\d+: onehop0/gm, 'onehop0')
  assert.equal(withoutIndex(await world.dump()), withoutIndex(full))
  await world.down()
  // Typed commands leave no journal, but say what they would have remembered.
  for (const [, key, value] of [...plan.join('\n').matchAll(/^# {3}(\S+) = (\S+)$/gm)].reverse())
    await host.setSysctl(key!, value!)
})

test('down is harmless where nothing is', () => world.down())

test('the TUN takes what every bridge takes, and is told to queue', async () => {
  await world.up(intentOf())
  const [link] = JSON.parse(await host.run(['ip', '-j', '-d', 'link', 'show', 'onehop0']))
  const { mtu, txqlen, inet6_addr_gen_mode, linkinfo } = link
  const { persist, vnet_hdr, multi_queue, pi } = linkinfo.info_data
  assert.deepEqual(
    { mtu, txqlen, inet6_addr_gen_mode, persist, vnet_hdr, multi_queue, pi },
    {
      mtu: 1450,
      txqlen: 10_000,
      inet6_addr_gen_mode: 'none',
      persist: true,
      vnet_hdr: true,
      multi_queue: true,
      pi: false,
    },
  )
  await world.down()
})

test('a crash after any change of up is undone by down', async () => {
  const intent = intentOf({ services: [WEB, WHOLE] })
  const count = await world.part({ intent, changes: 0 })
  assert.ok(count > 25, `${count} changes`)
  for (let changes = 1; changes <= count; changes++) {
    await world.part({ intent, changes })
    await world.down()
    await assertUnchanged(before, `after ${changes} of ${count} changes`)
  }
})

test('a crash after any change of up is made good by up', async () => {
  const intent = intentOf()
  const count = await world.part({ intent, changes: 0 })
  for (let changes = 1; changes < count; changes += 3) {
    await world.part({ intent, changes })
    await world.up(intent)
    await assertComplete(intent)
    await world.down()
    await assertUnchanged(before, `after ${changes} of ${count} changes`)
  }
})

test('a crash after any change of down is made good by down, and by up', async () => {
  const intent = intentOf()
  await world.up(intent)
  const count = await world.part({ changes: 0 })
  for (let changes = 1; changes <= count; changes += 3) {
    await world.part({ changes })
    if (changes % 2 === 0) await world.down()
    await world.up(intent)
    await assertComplete(intent)
  }
  await world.down()
})

test('a killed routes up is undone by routes down', async () => {
  const up = host.start([
    ...onehopCommand(),
    ...['routes', 'up', '--run-dir', world.runDir, '--bridge', 'br0', '--uplink', 'up0'],
    ...['--service', '203.0.113.10:80/tcp', '--container', 'c1=10.77.0.11'],
  ])
  await untilTrue(
    () =>
      existsSync(`/proc/${host.pid}/root/proc/${host.pid}/net/dev_snmp6/onehop0`) || up.exit !== undefined,
    'a TUN',
    30_000,
  )
  up.kill()
  await up.exited
  const { code, stderr } = await world.onehop('routes', 'down')
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})

test('a change of the config changes only what differs', async () => {
  const other = { ...WEB, containers: [...WEB.containers, { name: 'c2', address: '10.77.0.12' }] }
  await world.up(intentOf())
  const plan = await world.plan(intentOf({ services: [other] }))
  assert.equal(plan.length, 1)
  assert.deepEqual(plan[0]!.split('\n').slice(1, -1), [
    'add element inet onehop_onehop0 endpoints4 { 10.77.0.12 . tcp . 8080, 10.77.0.12 . udp . 5353 }',
    'add element inet onehop_onehop0 containers4 { 10.77.0.12 }',
    'add element inet onehop_onehop0 quoted4 { 0x0a4d000c }',
  ])
  await world.up(intentOf({ services: [WHOLE] }))
  await assertComplete(intentOf({ services: [WHOLE] }))
  const ruleset = await host.run(['nft', 'list', 'ruleset'])
  assert.doesNotMatch(ruleset + (await host.run(['ip', 'route'])), /203\.0\.113\.10|10\.77\.0\.11/)
  await world.up(intentOf())
  await assertComplete()
  await world.down()
})

test('what somebody takes away comes back with up', async () => {
  await world.up(intentOf())
  await host.script(`
    nft flush chain inet onehop_onehop0 answer
    nft delete element inet onehop_onehop0 public4 '{ 203.0.113.10 }'
    ip rule del pref 841
    ip link set onehop0 down
    ip neigh del proxy 198.18.0.10 dev up0
    sysctl -qw net.ipv4.conf.br0.forwarding=0`)
  await world.up(intentOf())
  await assertComplete()
  await world.down()
})

test('a TUN deleted under the set-up comes back with up, and down does without it', async () => {
  for (const next of ['up', 'down']) {
    await world.up(intentOf())
    await host.run(['ip', 'link', 'del', 'onehop0'])
    if (next === 'up') {
      await world.up(intentOf())
      await assertComplete()
    }
    await world.down()
    await assertUnchanged(before)
  }
})

test('a sysctl that somebody has changed meanwhile is left alone', async () => {
  await host.setSysctl('net/ipv4/neigh/up0/proxy_delay', 80)
  await world.up(intentOf())
  await host.setSysctl('net/ipv4/neigh/up0/proxy_delay', 40)
  await world.down()
  assert.equal(await host.run(['cat', '/proc/sys/net/ipv4/neigh/up0/proxy_delay']), '40\n')
  await host.setSysctl('net/ipv4/neigh/up0/proxy_delay', 80)
})

const { tun: TUN } = intentOf()

const REFUSALS: readonly (readonly [
  title: string,
  expected: RegExp,
  make: string,
  undo: string,
  wanted?: Parameters<typeof intentOf>[0],
])[] = [
  [
    'a bridge that does not exist',
    /^bridge br7 does not exist; this host has br0$/,
    '',
    '',
    { bridges: ['br7'] },
  ],
  [
    'an uplink that does not exist',
    /^uplink up7 does not exist; this host has up0, br0$/,
    '',
    '',
    { uplinks: ['up7'] },
  ],
  [
    'a host without a default route when no uplink is named',
    /^no default route, so no uplink to take; expected interfaces\.uplinks \(--uplink\)/,
    'ip route del default',
    'ip route add default via 198.18.0.2',
    { uplinks: [] },
  ],
  [
    'a public address that this host has',
    /^public address 203\.0\.113\.10 is assigned to br0 of this host/,
    'ip addr add 203.0.113.10/32 dev br0',
    'ip addr del 203.0.113.10/32 dev br0',
  ],
  [
    'a public address with a route of its own',
    /^public address 2001:db8:53::10 has a route that onehop did not make for onehop0 \(dev br0/,
    'ip route add 2001:db8:53::10 dev br0',
    'ip route del 2001:db8:53::10 dev br0',
  ],
  [
    'a TUN name that another kind of interface has',
    /^onehop0 is taken by an interface that onehop did not make \(bridge\)/,
    `ip link add ${TUN} type bridge`,
    `ip link del ${TUN}`,
  ],
  [
    'a TUN of the right kind that it did not make',
    /^onehop0 is taken by an interface that onehop did not make \(tun\)/,
    `ip tuntap add dev ${TUN} mode tun vnet_hdr multi_queue`,
    `ip link del ${TUN}`,
  ],
  [
    'a rule with its preference',
    /^IPv4 rule 841 \(table 99\) has the preference, table or mark that onehop0 needs/,
    'ip rule add pref 841 lookup 99',
    'ip rule del pref 841',
  ],
  [
    'a rule to its table',
    /^IPv6 rule 7 \(table 600241\) has/,
    'ip -6 rule add pref 7 lookup 600241',
    'ip -6 rule del pref 7',
  ],
  [
    'a route in its table',
    /^table 600241 holds a route that onehop did not make for onehop0 \(192\.0\.2\.0\/24 dev br0\)/,
    'ip route add 192.0.2.0/24 dev br0 table 600241',
    'ip route del 192.0.2.0/24 dev br0 table 600241',
  ],
  [
    'an nft table of its name',
    /^nft table inet onehop_onehop0 exists, but onehop did not make it/,
    'nft add table inet onehop_onehop0',
    'nft delete table inet onehop_onehop0',
  ],
]

for (const [title, expected, make, undo, wanted] of REFUSALS)
  test(`refuses ${title}, and changes nothing`, async () => {
    await host.script(make)
    const met = await world.dump()
    await assert.rejects(world.up(intentOf(wanted)), { code: 'E_NETWORK', message: expected })
    await assertUnchanged(met)
    await world.down()
    await assertUnchanged(met)
    await host.script(undo)
  })

test('refuses without CAP_NET_ADMIN, and changes nothing', async () => {
  const { code, stderr } = await host.attempt([
    ...['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'],
    ...onehopCommand(),
    ...['routes', 'up', '--run-dir', world.runDir, '--bridge', 'br0', '--uplink', 'up0'],
    ...['--service', '203.0.113.10:80/tcp', '--container', 'c1=10.77.0.11'],
  ])
  assert.deepEqual(
    { code, stderr },
    {
      code: 1,
      stderr: 'onehop: not permitted to change the network; expected root, or CAP_NET_ADMIN\n',
    },
  )
})

/** Makes a part of /proc/sys read-only for as long as `act` runs. */
async function withReadOnly(path: string, act: () => Promise<void>): Promise<void> {
  await host.script(`mount --bind ${path} ${path}; mount -o remount,bind,ro ${path}`)
  try {
    await act()
  } finally {
    await host.run(['umount', path])
  }
}

for (const [when, path] of [
  ['an early', '/proc/sys/net/ipv4/conf'],
  ['a late', '/proc/sys/net/ipv6/neigh/up0'],
] as const)
  test(`${when} step that fails takes those before it back`, () =>
    withReadOnly(path, async () => {
      await assert.rejects(world.up(intentOf()), {
        code: 'E_NETWORK',
        message: /^sysctl -qw net\/ipv\S+: EROFS \(\/proc\/sys is mounted read-only here\)$/,
      })
      await assertUnchanged(before)
    }))

test('a change of the config that fails leaves the one before', async () => {
  const small = intentOf({ services: [WHOLE] })
  await world.up(small)
  const met = await world.dump()
  await withReadOnly('/proc/sys/net/ipv6/neigh/up0', async () => {
    await assert.rejects(world.up(intentOf()), { code: 'E_NETWORK', message: /EROFS/ })
  })
  await assertUnchanged(met)
  await assertComplete(small)
  await world.down()
})

test('two TUNs stand side by side on one bridge, and either goes without the other', async () => {
  const first = intentOf()
  const second = intentOf({
    tun: 'onehop1',
    services: [{ ...WHOLE, addresses: [...WHOLE.addresses, '198.18.0.20'] }],
  })
  for (const [gone, left] of [
    [first, second],
    [second, first],
  ] as const) {
    await world.up(first)
    await world.up(second)
    await assertComplete(first)
    await assertComplete(second)
    await world.down(gone.tun)
    await assertComplete(left)
    await world.down(left.tun)
    await assertUnchanged(before)
  }
})

test('a second TUN does not take the public address of the first', async () => {
  await world.up(intentOf())
  await assert.rejects(world.up(intentOf({ tun: 'onehop1' })), {
    code: 'E_NETWORK',
    message:
      /^public address 203\.0\.113\.10 has a route that onehop did not make for onehop1 \(dev onehop0/m,
  })
  await world.down()
})

test('two set-ups at once wait for each other', async () => {
  await Promise.all([
    world.up(intentOf()),
    world.onehop('routes', 'down', '--tun', 'onehop1'),
    world.onehop('routes', 'show'),
  ])
  await assertComplete()
  await world.down()
})

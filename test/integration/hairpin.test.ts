/** Containers and the host itself call the public addresses. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES, type Family } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import { hostState } from '../support/lab/host-state.ts'
import { likeDocker } from '../support/lab/like-docker.ts'
import type { Namespace } from '../support/lab/namespace.ts'
import { ping } from '../support/lab/ping.ts'
import { type Lab, type LabOptions, withLab } from '../support/lab.ts'

/** Who calls whom, by pins, and what the called one sees: each container itself or another one, the host a container. */
const CALLS = [
  {
    caller: 'c1',
    called: 'c1',
    IPv4: { own: '10.77.0.11', alias: '250.77.0.11' },
    IPv6: { own: 'fd77::11', alias: '5d77::11' },
  },
  {
    caller: 'c2',
    called: 'c1',
    IPv4: { own: '10.77.0.12', alias: '250.77.0.12' },
    IPv6: { own: 'fd77::12', alias: '5d77::12' },
  },
  {
    caller: 'c3',
    called: 'c2',
    IPv4: { own: '10.77.0.13', alias: '250.77.0.13' },
    IPv6: { own: 'fd77::13', alias: '5d77::13' },
  },
  {
    caller: 'host',
    called: 'c3',
    IPv4: { own: '198.18.0.1', alias: '246.18.0.1' },
    IPv6: { own: '2001:db8:18::1', alias: '4001:db8:18::1' },
  },
] as const

const LARGE = 20_000_000
const MEGABYTE = 1_000_003

function configOf(lab: Lab, network = 77) {
  const config = lab.config()
  const pins = CALLS.flatMap(({ called, IPv4, IPv6 }) =>
    [IPv4, IPv6].map(({ own }) => ({ source: inNetwork(own, network), container: called })),
  )
  const [web] = config.services
  const whole = { ...web!, name: 'whole', addresses: ['203.0.113.11', '2001:db8:53::11'], ports: 'all', pins }
  return { ...config, services: [{ ...web!, pins }, whole] }
}

/**
 * TCP, UDP and ping are answered, by whom they should be and from where they were asked; a megabyte comes and goes with every
 * byte in its place; other ports refuse at once. `network` is where the containers are: 77, or 78 behind a router.
 */
async function callAll(lab: Lab, network = 77): Promise<void> {
  for (const call of CALLS)
    for (const family of FAMILIES) {
      const namespace = namespaceOf(lab, call.caller)
      const agent = await namespace.agent()
      const peer = inNetwork(call[family.name].alias, network)
      await callService(agent, family, { container: call.called, peer })
      await transfer(agent, family, MEGABYTE)
      // Of an address with every port, so that a container answers.
      await ping(namespace, family.name === 'IPv4' ? '203.0.113.11' : '2001:db8:53::11')
      await refused(agent, family)
    }
}

const inNetwork = (address: string, network: number): string =>
  address.replace(/(?<=^250\.|^10\.|^fd|^5d)77/, String(network))

async function transfer(agent: Agent, { url }: Family, bytes: number): Promise<void> {
  for (const done of [await agent.download(`${url}/bytes`, bytes), await agent.upload(`${url}/bytes`, bytes)])
    assert.deepEqual({ ...done, seconds: 0 }, { bytes, isEqual: true, seconds: 0 })
}

const namespaceOf = (lab: Lab, name: string): Namespace =>
  lab.containers.find((container) => container.name === name)?.namespace ?? lab.host

async function callService(agent: Agent, { url, service }: Family, expected: object): Promise<void> {
  const { peerPort: _, ...http } = await agent.who(`${url}/`)
  assert.deepEqual(http, expected)
  const answer = await agent.udp(service, 53, 'who?')
  assert.deepEqual([answer.address, answer.port], [service, 53])
  const { peerPort: __, ...udp } = JSON.parse(answer.payload)
  assert.deepEqual(udp, expected)
}

async function refused(agent: Agent, { service }: Family): Promise<void> {
  assert.equal(await agent.connect(service, 81), 'ECONNREFUSED')
  await assert.rejects(agent.udp(service, 54, 'x'), { code: 'ECONNREFUSED' })
}

/** A host whose firewall lets nothing in but the answers to its own calls. */
const STATEFUL_INPUT = `
nft -f - <<END
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}
END`

/** Bridged packets pass the host's firewall too, as Kubernetes wants it. */
const BRIDGE_FILTER = `
for name in iptables ip6tables arptables; do echo 1 > /proc/sys/net/bridge/bridge-nf-call-$name; done`

/** What only some kernels have: the module br_netfilter. */
const HAS_BRIDGE_FILTER = 'test -e /proc/sys/net/bridge/bridge-nf-call-iptables'

const HOSTS: readonly { title: string; options?: LabOptions; script?: string }[] = [
  { title: 'a plain host' },
  { title: 'a host that filters reverse paths strictly', options: { rpFilter: 1 } },
  { title: "a host with a firewall like Docker's (legacy)", script: likeDocker('legacy') },
  { title: "a host with a firewall like Docker's (nft)", script: likeDocker('nft') },
  { title: 'a host that lets in only what it asked for', script: STATEFUL_INPUT },
  {
    title: "a host whose bridges are filtered, with a firewall like Docker's",
    script: `if ${HAS_BRIDGE_FILTER}; then ${BRIDGE_FILTER}; fi${likeDocker('nft')}`,
  },
  { title: 'a host without default routes', script: 'ip route del default; ip -6 route del default' },
]

for (const { title, options = {}, script = '' } of HOSTS)
  test(`on ${title}, containers and the host call the service`, () =>
    withLab(options, async (lab) => {
      await lab.host.script(script)
      const before = await hostState(lab.host)
      const daemon = await lab.startDaemon({ config: configOf(lab) })
      await callAll(lab)
      await daemon.stop()
      assert.equal(await hostState(lab.host), before)
    }))

/** Behind a router they are on no bridge of the host, so that they have to be named. */
const BEHIND_ROUTER = ['10.78.0.0/16', 'fd78::/64', '198.18.0.1', '2001:db8:18::1']

/** The host's way to the containers' router is no bridge, where nothing can be written; the way back stays. */
const wayWithoutBridge = ({ routers }: Lab): string => `
ip link add ct0 type veth peer name eth1 netns ${routers.container!.pid}
ip address add 10.79.0.1/24 dev ct0
ip address add fd79::1/64 dev ct0
ip link set ct0 up
nsenter --target ${routers.container!.pid} --net sh -eu <<END
ip address add 10.79.0.2/24 dev eth1
ip address add fd79::2/64 dev eth1
ip link set eth1 up
for interface in all eth1; do echo 0 > /proc/sys/net/ipv4/conf/\\$interface/rp_filter; done
END
ip route replace 10.78.0.0/16 via 10.79.0.2
ip route replace fd78::/64 via fd79::2`

for (const { title, script } of [
  { title: 'a plain host', script: '' },
  { title: "a host with a firewall like Docker's", script: likeDocker('nft') },
]) {
  test(`on ${title}, containers behind a router call the service`, () =>
    withLab({ containerRouter: {} }, async (lab) => {
      await lab.host.script(script)
      const hairpin = { sources: BEHIND_ROUTER }
      const daemon = await lab.startDaemon({ config: { ...configOf(lab, 78), hairpin } })
      await callAll(lab, 78)
      await daemon.stop()
    }))

  test(`on ${title}, containers that are on no bridge call the service, by way of the TUN`, () =>
    withLab({ containerRouter: {} }, async (lab) => {
      await lab.host.script(script + wayWithoutBridge(lab))
      const hairpin = { sources: BEHIND_ROUTER }
      const daemon = await lab.startDaemon({ config: { ...configOf(lab, 78), hairpin } })
      await callAll(lab, 78)
      const { bridgeWrites, tunWrites } = (await daemon.status<Status>()).io
      assert.equal(bridgeWrites, 0)
      assert.ok(tunWrites > 0)
      await daemon.stop()
    }))
}

test('packets of 64 KB stay whole between containers, and every byte is in its place', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    for (const { caller } of CALLS)
      for (const family of FAMILIES) await transfer(await namespaceOf(lab, caller).agent(), family, LARGE)
    const { io } = await daemon.status<Status>()
    assert.ok(io.bridgeWrites > 0)
    await daemon.stop()
  }))

test('a container calls another one by the public address and by its own at the same time', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    const agent = await lab.containers[1]!.namespace.agent()
    for (const { name, url, own } of FAMILIES) {
      const address = lab.containers[0]![own]
      const direct = `http://${name === 'IPv4' ? address : `[${address}]`}:8080`
      for (let round = 0; round < 3; round++) {
        const [publicly, directly] = [`${name} public`, `${name} direct`]
        assert.equal((await agent.who(`${url}/`, { connection: publicly })).peer, CALLS[1][name].alias)
        assert.equal((await agent.who(`${direct}/`, { connection: directly })).peer, CALLS[1][name].own)
      }
    }
    await daemon.stop()
  }))

test('where local sources cannot be told apart, or the alias prefix is routed elsewhere, the daemon says so and changes nothing', () =>
  withLab({ containers: 1 }, async (lab) => {
    const refusals = [
      {
        script: 'ip address add 26.77.0.5/32 dev up0',
        undo: 'ip address del 26.77.0.5/32 dev up0',
        message:
          /local sources 10\.77\.0\.0\/16 and 26\.77\.0\.5\/32 have an alias in common \(250\.77\.0\.5\); expected/,
      },
      {
        script: 'ip route add 250.0.0.0/8 dev up0',
        undo: 'ip route del 250.0.0.0/8 dev up0',
        message:
          /250\.0\.0\.0\/8 is routed elsewhere \(dev up0\), within hairpin\.alias4 240\.0\.0\.0\/4; expected/,
      },
    ]
    for (const { script, undo, message } of refusals) {
      await lab.host.script(script)
      const before = await hostState(lab.host)
      const daemon = lab.launchDaemon({ config: lab.config() })
      assert.equal((await daemon.running.exited).code, 1)
      assert.match(daemon.running.stderr + daemon.running.stdout, message)
      assert.equal(await hostState(lab.host), before)
      await lab.host.script(undo)
    }
  }))

/** The fast path follows what becomes of links: several uplinks, uplinks and ports that go and come, containers that move. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { hostState } from '../support/lab/host-state.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, type Container, type Lab, UPLINK, withLab } from '../support/lab.ts'

const inLab = (use: (lab: Lab, agent: Agent) => Promise<void>) => () =>
  withLab({}, async (lab) => use(lab, await lab.client.agent()))

const startDaemon = (lab: Lab, uplinks = [UPLINK]): Promise<Daemon> => {
  const config = lab.config()
  const interfaces = { ...config.interfaces, uplinks }
  return lab.startDaemon({ config: { ...config, interfaces, dataplane: { fastpath: 'require' } } })
}

/** One request of each family, from these addresses; false while there is no answer. */
const askFrom =
  (agent: Agent, ...from: readonly string[]) =>
  async (): Promise<boolean> => {
    const answers = FAMILIES.map(({ url }, i) => agent.get(`${url}/`, { from: from[i]!, timeoutMs: 500 }))
    const settled = await Promise.allSettled(answers)
    return settled.every(({ status }) => status === 'fulfilled')
  }

/** Requests until one meets no packet thread any more, either way. */
async function untilFast(daemon: Daemon, ask: () => Promise<boolean>): Promise<void> {
  let before = -1
  await untilTrue(async () => {
    const isAnswered = await ask()
    const now = (await daemon.status<Status>()).io.bridgeWrites
    const isFast = isAnswered && now === before
    before = now
    return isFast
  }, 'all packets stay in the kernel')
}

const interfacesOf = async (daemon: Daemon): Promise<readonly number[]> => {
  const { fastpath } = (await daemon.status<Status>()).io
  return [fastpath.uplinks, fastpath.ports]
}

const NEAR = FAMILIES.map(({ client }) => client(1))
/** Clients of a second network, behind an uplink of its own. */
const FAR = ['198.51.100.7', '2001:db8:51::7']
const UPLINK2 = 'up1'

const SECOND_UPLINK = ({ client }: Lab): string => `
ip link add ${UPLINK2} type veth peer name eth1 netns ${client.pid}
ip addr add 198.18.2.1/24 dev ${UPLINK2}
ip addr add 2001:db8:182::1/64 dev ${UPLINK2}
ip link set ${UPLINK2} up
ip route add 198.51.100.0/24 via 198.18.2.2
ip route add 2001:db8:51::/64 via 2001:db8:182::2`

/** What comes from there leaves through it, as from hosts of their own. */
const SECOND_CLIENTS = `
ip addr add 198.18.2.2/24 dev eth1
ip addr add 2001:db8:182::2/64 dev eth1
ip link set eth1 up
ip route add local 198.51.100.0/24 dev lo
ip route add local 2001:db8:51::/64 dev lo
ip rule add from 198.51.100.0/24 lookup 51
ip -6 rule add from 2001:db8:51::/64 lookup 51
ip route add default via 198.18.2.1 table 51
ip -6 route add default via 2001:db8:182::1 table 51`

const received = async (lab: Lab, link: string): Promise<number> =>
  Number(await lab.client.script(`cat /proc/net/dev | sed -n 's/^ *${link}: *[0-9]* *\\([0-9]*\\).*/\\1/p'`))

test(
  'several uplinks: clients of each are served in the kernel, and answered through their own',
  inLab(async (lab, agent) => {
    await lab.host.script(SECOND_UPLINK(lab))
    await lab.client.script(SECOND_CLIENTS)
    const daemon = await startDaemon(lab, [UPLINK, UPLINK2])
    for (const [from, link, other] of [
      [NEAR, 'eth0', 'eth1'],
      [FAR, 'eth1', 'eth0'],
    ] as const) {
      const ask = askFrom(agent, ...from)
      await untilFast(daemon, ask)
      const before = [await received(lab, link), await received(lab, other)] as const
      for (let n = 0; n < 5; n++) assert.ok(await ask())
      assert.ok((await received(lab, link)) >= before[0] + 5 * 2 * 4, link)
      assert.ok((await received(lab, other)) <= before[1] + 4, other)
    }
    assert.deepEqual(await interfacesOf(daemon), [2, lab.containers.length])

    await lab.host.script(`ip link delete ${UPLINK2}`)
    await untilTrue(async () => (await interfacesOf(daemon))[0] === 1, 'the program went with the uplink')
    await lab.host.script(SECOND_UPLINK(lab))
    await lab.client.script(SECOND_CLIENTS.replaceAll(/^ip (-6 )?(rule|route add local).*$/gm, ''))
    await untilFast(daemon, askFrom(agent, ...FAR))
    await untilFast(daemon, askFrom(agent, ...NEAR))
    assert.deepEqual(await interfacesOf(daemon), [2, lab.containers.length])
    await daemon.stop()
  }),
)

/** Another link of the same name, behind it the same container. */
const plug = ({ port, namespace }: Container, name = port, hardware = ''): string => `
ip link delete ${port}
ip link add ${name} type veth peer name eth0 ${hardware} netns ${namespace.pid}
ip link set ${name} master ${BRIDGE} up`

const address = ({ address, address6 }: Container): string => `
ip addr add ${address}/16 dev eth0
ip addr add ${address6}/64 dev eth0
ip link set eth0 up
ip route add default via 10.77.0.1
ip route add default via fd77::1`

const MOVES = [
  ['with another index and hardware address', () => ''],
  ['behind another port, with its hardware address', (hardware: string) => `address ${hardware}`],
] as const

for (const [title, hardwareOf] of MOVES)
  test(
    `containers whose links are made anew ${title} are served in the kernel again`,
    inLab(async (lab, agent) => {
      const daemon = await startDaemon(lab)
      const ask = askFrom(agent, ...NEAR)
      await untilFast(daemon, ask)
      for (const container of lab.containers) {
        const [own] = JSON.parse(await container.namespace.run(['ip', '-j', 'link', 'show', 'eth0']))
        const hardware = hardwareOf(own.address)
        const name = hardware === '' ? container.port : `moved${container.port}`
        await lab.host.script(plug(container, name, hardware))
        await container.namespace.script(address(container))
      }
      await untilFast(daemon, ask)
      assert.deepEqual(await interfacesOf(daemon), [1, lab.containers.length])
      await daemon.stop()
    }),
  )

test(
  'a port that leaves its bridge is let go, and met again when it is back',
  inLab(async (lab, agent) => {
    const clean = await hostState(lab.host)
    const daemon = await startDaemon(lab)
    const ask = askFrom(agent, ...NEAR)
    await untilFast(daemon, ask)
    for (const { port } of lab.containers) await lab.host.script(`ip link set ${port} nomaster`)
    await untilTrue(async () => (await interfacesOf(daemon))[1] === 0, 'no port is left')
    for (const { port } of lab.containers)
      assert.equal(
        await lab.host.script(`tc filter show dev ${port} ingress; tc qdisc show dev ${port} clsact`),
        '',
      )
    assert.equal(await ask(), false)
    for (const { port } of lab.containers) await lab.host.script(`ip link set ${port} master ${BRIDGE}`)
    await untilFast(daemon, ask)
    assert.deepEqual(await interfacesOf(daemon), [1, lab.containers.length])
    await daemon.stop()
    assert.equal(await hostState(lab.host), clean)
  }),
)

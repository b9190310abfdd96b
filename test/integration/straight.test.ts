/** Answers to the other end of an uplink that is one of a pair: past the uplink's egress, unless something stands there. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, UPLINK, withLab } from '../support/lab.ts'

const inLab = (use: (lab: Lab, agent: Agent) => Promise<void>) => () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: { ...lab.config(), dataplane: { fastpath: 'require' } } })
    await use(lab, await lab.client.agent())
    await daemon.stop()
  })

async function sentByUplink(lab: Lab): Promise<number> {
  const [link] = JSON.parse(await lab.host.run(['ip', '-j', '-s', 'link', 'show', 'dev', UPLINK]))
  return link.stats64.tx.packets
}

const MANY = 2_000_000

/** Whether the many packets of a download leave through the uplink's egress. */
async function leavesThere(
  lab: Lab,
  agent: Agent,
  { url, client }: (typeof FAMILIES)[number],
): Promise<boolean> {
  const before = await sentByUplink(lab)
  const { bytes, isEqual } = await agent.download(`${url}/bytes`, MANY, { from: client(1) })
  assert.deepEqual({ bytes, isEqual }, { bytes: MANY, isEqual: true })
  return (await sentByUplink(lab)) - before > MANY / 65_536
}

for (const family of FAMILIES)
  test(
    `${family.name}: a known client's answers go straight to the other end`,
    inLab(async (lab, agent) => {
      await untilTrue(async () => !(await leavesThere(lab, agent, family)), 'the egress is passed by')
    }),
  )

for (const [what, add, remove] of [
  ['a queueing discipline', `tc qdisc add dev ${UPLINK} root pfifo`, `tc qdisc del dev ${UPLINK} root`],
  [
    "another's filter",
    `tc filter add dev ${UPLINK} egress prio 7 protocol all u32 match u32 0 0 flowid 1:1`,
    `tc filter del dev ${UPLINK} egress prio 7`,
  ],
  [
    "nft's hook",
    `nft 'table netdev other { chain out { type filter hook egress device ${UPLINK} priority 0; }; }'`,
    'nft delete table netdev other',
  ],
] as const)
  test(
    `${what} at the egress sees all answers, for as long as it is there`,
    inLab(async (lab, agent) => {
      const leaves = () => leavesThere(lab, agent, FAMILIES[0]!)
      await untilTrue(async () => !(await leaves()), 'the egress is passed by')
      await lab.host.script(add)
      await untilTrue(leaves, `${what} sees the answers`)
      await lab.host.script(remove)
      await untilTrue(async () => !(await leaves()), 'the egress is passed by again')
    }),
  )

/** What the host's route to the clients names. */
const GATEWAY = '198.18.0.2'

test(
  'neighbours whose answers go straight are confirmed all the same',
  inLab(async (lab, agent) => {
    const family = FAMILIES[0]!
    await lab.host.setSysctl(`net/ipv4/neigh/${UPLINK}/delay_first_probe_time`, 1)
    await untilTrue(async () => !(await leavesThere(lab, agent, family)), 'the egress is passed by')
    await lab.host.run(['ip', 'neigh', 'change', GATEWAY, 'dev', UPLINK, 'nud', 'stale'])
    await untilTrue(async () => {
      assert.equal(await leavesThere(lab, agent, family), false)
      const [entry] = JSON.parse(
        await lab.host.run(['ip', '-j', 'neigh', 'show', 'to', GATEWAY, 'dev', UPLINK]),
      )
      return entry.state.includes('REACHABLE')
    }, `${GATEWAY} is confirmed`)
  }),
)

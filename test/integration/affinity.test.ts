import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { FAMILIES, type Family } from '../support/families.ts'
import { mapLimited, untilTrue } from '../support/lab/until.ts'
import { Lab } from '../support/lab.ts'

const CLIENTS = 500
const ROUNDS = 6
const WEIGHTS = [1, 1, 2]

const lab = await Lab.open()
after(() => lab.close())
const config = lab.config()
const daemon = await lab.startDaemon({
  config: {
    ...config,
    services: config.services.map((service) => ({
      ...service,
      containers: service.containers.map((container, i) => ({ ...container, weight: WEIGHTS[i] })),
    })),
  },
})
after(() => daemon.stop())
const agent = await lab.client.agent()

/** Which container served each client, HTTP and UDP, in the order of the clients. */
async function visit(family: Family, clients: readonly number[]): Promise<(readonly string[])[]> {
  return await mapLimited(clients, 40, async (n) => {
    const from = family.client(n)
    const http = await agent.who(`${family.url}/`, { from })
    const udp = await agent.udp(family.service, 53, 'who?', { from })
    assert.equal(http.peer, from)
    return [http.container, JSON.parse(udp.payload).container]
  })
}

for (const family of FAMILIES) {
  const clients = Array.from({ length: CLIENTS }, (_, i) => 1_000 + i)
  const served = new Map<number, Set<string>>(clients.map((n) => [n, new Set()]))

  test(`${CLIENTS} ${family.name} clients keep their container over ${ROUNDS} rounds of TCP and UDP`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const order = round % 2 === 0 ? clients : clients.toReversed()
      for (const [i, containers] of (await visit(family, order)).entries())
        for (const container of containers) served.get(order[i]!)!.add(container)
    }
    const moved = clients.filter((n) => served.get(n)!.size !== 1)
    assert.deepEqual(moved, [])
  })

  test(`the containers' logs show the ${family.name} clients' own addresses, each in one log only`, async () => {
    for (const container of lab.containers) {
      const own = clients.filter((n) => served.get(n)!.has(container.name)).map(family.client)
      const peers = () => container.log.map(({ peer }) => peer).filter((peer) => isOf(family, peer))
      const visits = own.length * ROUNDS * 2
      await untilTrue(() => peers().length >= visits, `${container.name} has logged ${visits} requests`)
      assert.deepEqual([...new Set(peers())].sort(), own.sort())
    }
  })

  // The ring gives a container its weight's share within 1 %; which clients fall on it is chance: five sigma.
  test(`each container has its weight's share of the ${family.name} clients`, () => {
    for (const [i, { name }] of lab.containers.entries()) {
      const share = WEIGHTS[i]! / WEIGHTS.reduce((sum, weight) => sum + weight)
      const count = clients.filter((n) => served.get(n)!.has(name)).length
      const allowed = 5 * Math.sqrt(CLIENTS * share * (1 - share)) + 0.01 * CLIENTS
      assert.ok(Math.abs(count - CLIENTS * share) < allowed, `${name}: ${count} of ${CLIENTS}`)
    }
  })
}

const isOf = ({ name }: Family, address: string): boolean => address.includes(':') === (name === 'IPv6')

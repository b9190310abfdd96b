import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { FAMILIES } from '../support/families.ts'
import { ping } from '../support/lab/ping.ts'
import { Lab } from '../support/lab.ts'

const GIGABYTE = 1_000_000_000

const lab = await Lab.open()
after(() => lab.close())
const daemon = await lab.startDaemon()
after(() => daemon.stop())
const agent = await lab.client.agent()

for (const { name, service, url, client } of FAMILIES) {
  test(`curl gets a container's answer over ${name}, and the container sees the client's own address`, async () => {
    const from = client(1)
    const who = JSON.parse(await lab.client.run(['curl', '-sS', '-g', '--interface', from, `${url}/`]))
    assert.equal(who.peer, from)
    const container = lab.containers.find((one) => one.name === who.container)
    assert.deepEqual(
      container?.log.filter(({ peer }) => peer === from).map(({ peerPort }) => peerPort),
      [who.peerPort],
    )
  })

  test(`datagrams of every kind of length come back as they were over ${name}`, async () => {
    for (const length of [1, 2, 3, 17, 512, 1_023, 1_400]) {
      const payload = 'abcdefghi'.repeat(200).slice(0, length)
      const answer = await agent.udp(service, 53, payload, { from: client(2) })
      assert.deepEqual(answer, { address: service, port: 53, payload })
    }
  })

  test(`ping of the public address is answered over ${name}`, () =>
    ping(lab.client, service, { count: 5, from: client(3) }))

  test(`iperf3 runs both ways over TCP and UDP, ${name}`, async () => {
    const servers = lab.containers.map(({ namespace }) => namespace.start(['iperf3', '-s', '--forceflush']))
    await Promise.all(lab.containers.map(({ namespace }) => namespace.untilListening('tcp', 5201)))
    const iperf = ['iperf3', '-c', service, '-B', client(4), '-J', '-t', '1']
    const udp = ['-u', '-b', '20M', '-l', '1200']
    for (const way of [[], ['-R'], udp, [...udp, '-R']]) {
      const { end } = JSON.parse(await lab.client.run([...iperf, ...way]))
      const { bytes, lost_percent: lostPercent = 0 } = end.sum ?? end.sum_received
      assert.ok(
        bytes > 2_000_000 && lostPercent < 10,
        `${way.join(' ')}: ${bytes} bytes, ${lostPercent} % lost`,
      )
    }
    await Promise.all(servers.map((server) => server.stop('SIGINT')))
  })
}

test('a gigabyte comes down over IPv4 with every byte in its place', async () => {
  const transfer = await agent.download(`${FAMILIES[0]!.url}/bytes`, GIGABYTE, {
    from: FAMILIES[0]!.client(5),
  })
  assert.deepEqual({ ...transfer, seconds: 0 }, { bytes: GIGABYTE, isEqual: true, seconds: 0 })
})

test('a gigabyte goes up over IPv6 with every byte in its place', async () => {
  const transfer = await agent.upload(`${FAMILIES[1]!.url}/bytes`, GIGABYTE, { from: FAMILIES[1]!.client(5) })
  assert.deepEqual({ ...transfer, seconds: 0 }, { bytes: GIGABYTE, isEqual: true, seconds: 0 })
})

for (const { name, service, url, client } of FAMILIES)
  test(`other ports of the public address refuse at once over ${name}`, async () => {
    const from = client(6)
    assert.equal(await agent.connect(service, 81, { from }), 'ECONNREFUSED')
    await assert.rejects(agent.udp(service, 54, 'x', { from }), { code: 'ECONNREFUSED' })
    assert.equal((await agent.get(`${url}/`, { from })).status, 200)
  })

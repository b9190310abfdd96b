/** `--self-check` and the time that packets take, on real traffic, with the fast path and without. */
import assert from 'node:assert/strict'
import test, { after, describe } from 'node:test'
import type { Drops } from '../../src/api/drops.ts'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { Lab } from '../support/lab.ts'
import { readMetrics } from '../support/metrics.ts'

const lab = await Lab.open()
after(() => lab.close())
const agent = await lab.client.agent()
const METRICS = '127.0.0.1:9464'
const BYTES = 20_000_000

/** UDP datagrams whose checksum is wrong by one, from a source to port 53. */
const WRONG = `
import socket, struct, sys
source, service, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in service else socket.AF_INET
def words(data): return sum(struct.unpack('!%dH' % (len(data) // 2), data))
payload = b'wrong!'
header = struct.pack('!HHHH', 40000, 53, 8 + len(payload), 0)
total = words(socket.inet_pton(family, source) + socket.inet_pton(family, service)) + 17 + 8 + len(payload) + words(header + payload)
while total >> 16: total = (total & 0xffff) + (total >> 16)
datagram = header[:6] + struct.pack('!H', ((total ^ 0xffff) + 1) & 0xffff or 1) + payload
raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.bind((source, 0))
for _ in range(count): raw.sendto(datagram, (service, 0))
`

/** Datagrams that the kernels of the containers refused for their checksums. */
async function refusedByContainers(): Promise<number> {
  const texts = await Promise.all(
    lab.containers.map(({ namespace }) => namespace.run(['cat', '/proc/net/snmp', '/proc/net/snmp6'])),
  )
  return texts.map(checksumErrors).reduce((sum, one) => sum + one, 0)
}

function checksumErrors(text: string): number {
  const [names, values] = [...text.matchAll(/^Udp: (.*)$/gm)].map(([, line]) => line!.split(' '))
  const of4 = Number(values![names!.indexOf('InCsumErrors')])
  return of4 + Number(/^Udp6InCsumErrors\s+(\d+)/m.exec(text)![1])
}

for (const [mode, every] of [
  ['off', 1],
  ['require', 4],
] as const)
  describe(`fast path ${mode}`, () => {
    let daemon: Daemon
    const selfCheck = async () => (await daemon.status<Status>()).io.selfCheck
    after(() => daemon.stop())

    test('of bulk both ways one packet in so many is checked, and none is wrong', async () => {
      daemon = await lab.startDaemon({
        config: { ...lab.config(), metrics: METRICS, dataplane: { fastpath: mode, selfCheck: every } },
      })
      for (const { url, client } of FAMILIES) {
        const from = client(1)
        await agent.who(`${url}/`, { from })
        for (const transfer of [
          await agent.download(`${url}/bytes`, BYTES, { from }),
          await agent.upload(`${url}/bytes`, BYTES, { from }),
        ])
          assert.ok(transfer.isEqual)
      }
      const { received, io } = await daemon.status<Status>()
      const { checked, wrong } = io.selfCheck
      assert.deepEqual([io.selfCheck.every, wrong], [every, 0])
      // What takes the fast path is known some seconds later; some of the others find no time to be checked.
      await untilTrue(async () => {
        const { received: now, io: later } = await daemon.status<Status>()
        return now.packets >= received.packets && later.selfCheck.checked > 500
      }, 'many were checked')
      if (mode === 'off') assert.ok(checked > received.packets * 0.99, `${checked} of ${received.packets}`)
    })

    test('a packet that comes in wrong leaves wrong, and raises no alarm', async () => {
      for (const { service, client } of FAMILIES) {
        const from = client(2)
        await untilTrue(async () => {
          const before = await daemon.status<Status>()
          await agent.udp(service, 53, 'x', { from })
          const { io } = await daemon.status<Status>()
          return mode === 'off' || io.bridgeWrites === before.io.bridgeWrites
        }, 'its source is known')
        const [refused, { checked }] = [await refusedByContainers(), await selfCheck()]
        await lab.client.run(['python3', '-c', WRONG, from, service, '200'])
        await untilTrue(async () => (await refusedByContainers()) >= refused + 200, 'all have arrived, wrong')
        const after = await selfCheck()
        // One in four of 200 is 50; fewer than 20 come in one of a million runs.
        assert.ok(after.checked - checked >= 200 / every / 2.5, `${after.checked - checked} checked`)
        assert.equal(after.wrong, 0)
      }
      const { stdout } = await daemon.ask('drops', '--json')
      const { selfCheck: told } = JSON.parse(stdout) as Drops
      assert.deepEqual([told.every, told.wrong, told.last], [every, 0, undefined])
      assert.ok(!daemon.log.some(({ msg }) => msg.startsWith('self-check')))
    })

    test('the time that packets take is in the status and in the metrics', async () => {
      const { latency } = await daemon.status<Status>()
      assert.deepEqual(
        latency.map(({ direction }) => direction),
        ['request', 'answer', 'other'],
      )
      const metrics = readMetrics(await lab.host.run(['curl', '-sS', `http://${METRICS}/metrics`]))
      for (const { direction, packets, p50Us, p99Us } of latency.slice(0, 2)) {
        assert.ok(packets > 0, direction)
        assert.ok(p50Us! > 0.5 && p50Us! <= p99Us! && p99Us! < 20_000, `${p50Us} ${p99Us}`)
        const all = metrics.get(`onehop_packet_seconds_bucket{direction="${direction}",le="+Inf"}`)!
        assert.ok(all >= packets, `${all} ${packets}`)
        assert.equal(metrics.get(`onehop_packet_seconds_count{direction="${direction}"}`), all)
      }
      const { stdout } = await daemon.ask('status')
      assert.match(stdout, /^ {2}direction +packets +p50Us +p99Us\n {2}request +[1-9]/m)
    })
  })

test('what no packet can be checked by is refused', async () => {
  const config = { ...lab.config(), dataplane: { selfCheck: -1 } }
  const daemon = lab.launchDaemon({ config })
  const { code } = await daemon.running.exited
  assert.equal(code, 2)
  assert.match(
    daemon.running.stderr,
    /dataplane\.selfCheck: -1; expected a whole number from 0 to 1000000000/,
  )
})

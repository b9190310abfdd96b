/** `onehop capture` and `onehop trace` on a live daemon, and what other programs read from a capture. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import type { Story } from '../../src/watch/story.ts'
import { FAMILIES } from '../support/families.ts'
import { dissect } from '../support/lab/dissect.ts'
import type { Running } from '../support/lab/running.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, Lab } from '../support/lab.ts'

const lab = await Lab.open()
after(() => lab.close())
const daemon = await lab.startDaemon()
after(() => daemon.stop())
const agent = await lab.client.agent()

const begun = async (running: Running): Promise<Running> => {
  await running.until(({ stderr }) => stderr.includes('Ctrl-C ends it'), 'begun')
  return running
}

/** epb_flags. */
const [IN, OUT] = ['0x00000001', '0x00000002']

const FIELDS = [
  'frame.interface_name',
  'frame.packet_flags',
  'frame.comment',
  'frame.packet_id',
  'frame.time_epoch',
]

for (const { name, url, service, client } of FAMILIES) {
  test(`tshark reads each packet twice, as it arrived and as it left, ${name}`, async () => {
    const from = client(11)
    const file = lab.path(`${name}.pcapng`)
    const { container } = await agent.who(`${url}/`, { from })
    const { address, address6 } = lab.containers.find((one) => one.name === container)!
    const capture = await begun(
      daemon.startAsking('capture', '-w', file, '--source', from, '--service', 'web'),
    )
    await agent.who(`${url}/`, { from: client(12) })
    await agent.who(`${url}/`, { from })
    const isIp6 = from.includes(':')
    const ip = isIp6 ? 'ipv6' : 'ip'
    const [src, dst] = [`${ip}.src`, `${ip}.dst`]
    const all = () => dissect(file, 'frame', [src, dst, 'tcp.flags.fin', ...FIELDS])
    await untilTrue(
      async () => (await all()).filter((row) => row[2] === '1').length >= 4,
      'both ends have closed',
    )
    assert.deepEqual(await capture.stop('SIGINT'), { code: 0, signal: null }, capture.stderr)

    const rows = await all()
    const endpoint = isIp6 ? address6 : address
    const way = (row: readonly string[]) => [row[0], row[1], row[3], row[4]].join(' ')
    assert.deepEqual(
      new Set(rows.map(way)),
      new Set([
        `${from} ${service} onehop0 ${IN}`,
        `${from} ${endpoint} ${BRIDGE} ${OUT}`,
        `${endpoint} ${from} onehop0 ${IN}`,
        `${service} ${from} onehop0 ${OUT}`,
      ]),
    )
    const ids = new Set(rows.map((row) => row[6]))
    for (const id of ids) {
      const pair = rows.filter((row) => row[6] === id)
      assert.equal(pair.length, 2)
      assert.ok(pair[0]![5]!.includes(`service web, container ${container}, decided after`), pair[0]![5])
      assert.equal(pair[0]![5], pair[1]![5])
      assert.ok(Number(pair[0]![7]) <= Number(pair[1]![7]))
    }
    const comments = rows.map((row) => row[5]!.split(',')[0])
    assert.deepEqual(new Set(comments), new Set(['forward known', 'reply endpoint']))
    const [first] = rows
    assert.ok(Math.abs(Number(first![7]) - Date.now() / 1000) < 60, first![7])
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.match(capture.stderr, new RegExp(`^${ids.size} packets, 0 more lost`, 'm'))
  })

  test(`trace shows a packet's whole way, also of a source on the fast path, ${name}`, async () => {
    const from = client(13)
    const ask = () => agent.udp(service, 53, 'x', { from })
    const slow = async () => (await daemon.status<Status>()).io.bridgeWrites
    await untilTrue(async () => {
      const before = await slow()
      await ask()
      return (await slow()) === before
    }, 'the source is served in the kernel')
    const trace = await begun(daemon.startAsking('trace', from, '--json', '--max-packets', '2'))
    await ask()
    assert.deepEqual(await trace.exited, { code: 0, signal: null }, trace.stderr)
    const [request, reply] = trace.lines.map((line) => JSON.parse(line) as Story)
    assert.deepEqual(
      [request, reply].map((story) => [story!.verdict, story!.reason, story!.service, story!.left]),
      [
        ['forward', 'known', 'web', 'bridge'],
        ['reply', 'endpoint', 'web', 'tun'],
      ],
    )
    assert.ok(request!.arrived.includes(service) && request!.arrived.includes('UDP'), request!.arrived)
    assert.ok(reply!.departed!.includes(service), reply!.departed)
    for (const { decidedUs, writtenUs } of [request!, reply!])
      assert.ok(decidedUs > 0 && decidedUs <= writtenUs! && writtenUs! < 1e6, `${decidedUs} ${writtenUs}`)
    await untilTrue(async () => {
      const before = await slow()
      await ask()
      return (await slow()) === before
    }, 'the source is back on the fast path')
  })
}

test('only what is asked for is captured, in a pipe too: drops, to the number wanted', async () => {
  const running = await begun(
    daemon.startAsking('capture', '--verdict', 'drop', '--json', '--max-packets', '1'),
  )
  const [v4] = FAMILIES
  await agent.who(`${v4!.url}/`, { from: v4!.client(14) })
  await lab.client.run(['python3', '-c', UNRELATED, v4!.service])
  assert.deepEqual(await running.exited, { code: 0, signal: null }, running.stderr)
  const stories = running.lines.map((line) => JSON.parse(line) as Story)
  assert.deepEqual(
    stories.map(({ verdict, reason, left }) => [verdict, reason, left]),
    [['drop', 'unrelated', 'nowhere']],
  )
})

/** Port unreachable, about nothing that was ever sent. */
const UNRELATED = `
import socket, struct, sys
inner = bytes.fromhex('4500001c000100004011') + b'\\0\\0' + socket.inet_aton(sys.argv[1]) + socket.inet_aton('198.18.0.2') + struct.pack('!HHHH', 9, 9, 8, 0)
message = struct.pack('!BBHI', 3, 3, 0, 0) + inner
total = sum(struct.unpack('!%dH' % (len(message) // 2), message))
while total >> 16: total = (total & 0xffff) + (total >> 16)
message = message[:2] + struct.pack('!H', ~total & 0xffff) + message[4:]
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(message, (sys.argv[1], 0))`

test('more packets a second than asked for are counted as lost, and bytes are bounded', async () => {
  const [v4] = FAMILIES
  const file = lab.path('bounded.pcapng')
  const limits = ['--rate', '5', '--max-packets', '10', '--max-bytes', '100000']
  const capture = await begun(daemon.startAsking('capture', '-w', file, ...limits))
  await agent.download(`${v4!.url}/bytes`, 20_000_000, { from: v4!.client(15) })
  await untilTrue(async () => {
    await agent.who(`${v4!.url}/`, { from: v4!.client(15) })
    return capture.exit !== undefined
  }, 'a bound was reached')
  assert.match(capture.stderr, /^([1-9]|10) packets, [1-9][0-9]* more lost/m)
  assert.ok(statSync(file).size <= 100_000)
})

test('a reader that stops reading costs the daemon nothing, and the next one is served', async () => {
  const [v4] = FAMILIES
  const stalled = daemon.startAsking('capture', '-w', '/dev/null')
  await begun(stalled)
  stalled.signal('SIGSTOP')
  const before = (await daemon.status<Status>()).received.packets
  const rss = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.running.pid}/status`, 'utf8'))![1]) / 1024
  const beforeMb = rss()
  await agent.download(`${v4!.url}/bytes`, 300_000_000, { from: v4!.client(16) })
  assert.ok((await daemon.status<Status>()).received.packets > before + 1_000)
  assert.ok(rss() < beforeMb + 100, `${beforeMb} MB, then ${rss()}`)
  stalled.kill()
  await stalled.exited
})

test('what cannot be watched is refused with what was expected', async () => {
  for (const [argv, message] of [
    [['trace', '198.51.100.300'], /"198\.51\.100\.300": expected an address or a prefix/],
    [['capture', '--container', 'c9'], /"c9" is no container/],
    [['capture', '--service', 'nobody'], /nobody/],
    [['capture', '--verdict', 'drop', '--reason', 'known'], /"drop known": no packet gets that/],
    [['capture', '--rate', '0'], /perSecond: .*expected a whole number from 1 to 50000/],
  ] as const) {
    const { code, stderr } = await daemon.ask(...(argv as unknown as [string, ...string[]]))
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  }
})

/** `onehop drops` on a live daemon, with the fast path and without, and what other programs read of it. */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import test, { after, describe } from 'node:test'
import type { Drops } from '../../src/api/drops.ts'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES, inUrl } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { dissect } from '../support/lab/dissect.ts'
import { Lab } from '../support/lab.ts'

const lab = await Lab.open()
after(() => lab.close())
const agent = await lab.client.agent()
const { services, ...frame } = lab.config()
const BARE = { IPv4: '203.0.113.12', IPv6: '2001:db8:53::12' } as const
const bare = {
  ...services[0]!,
  name: 'bare',
  addresses: Object.values(BARE),
  containers: services[0]!.containers.map((container) => ({ ...container, weight: 0 })),
}

const knock = (url: string, from: string) =>
  lab.client.attempt(['curl', '-sS', '-g', '--max-time', '5', '--interface', from, url])

const read = async (daemon: Daemon, ...argv: readonly string[]): Promise<Drops> => {
  const { code, stdout, stderr } = await daemon.ask('drops', '--json', ...argv)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Drops
}

for (const mode of ['off', 'require'] as const)
  describe(`fast path ${mode}`, () => {
    let daemon: Daemon
    test('nothing yet, and the last packet of each reason once there is one', async () => {
      daemon = await lab.startDaemon({
        config: { ...frame, dataplane: { fastpath: mode }, services: [...services, bare] },
      })
      const { code, stdout } = await daemon.ask('drops', '--reason', 'port-closed')
      assert.deepEqual([code, stdout], [0, 'Nothing has been dropped or refused.\n'])

      for (const { name, url, service, client } of FAMILIES) {
        await agent.who(`${url}/`, { from: client(1) })
        await knock(`${url}:81/`, client(2))
        await knock(`http://${inUrl(BARE[name])}/`, client(3))
        const { reasons } = await read(daemon)
        const found = new Map(reasons.map((reason) => [`${reason.verdict} ${reason.reason}`, reason]))
        const [closed, empty] = [found.get('answer port-closed')!, found.get('answer no-container')!]
        assert.ok(closed.last.packet.includes(` > ${inUrl(service)}:81 TCP SYN`), closed.last.packet)
        assert.ok(closed.last.packet.includes(client(2)), closed.last.packet)
        assert.equal(closed.last.service, undefined)
        assert.deepEqual([empty.last.service, empty.last.direction], ['bare', 'request'])
        assert.ok(Math.abs(Date.parse(closed.last.time) - Date.now()) < 60_000, closed.last.time)
      }
    })

    test('they are counted as onehop status counts them', async () => {
      const { reasons } = await read(daemon)
      const { verdicts } = await daemon.status<Status>()
      for (const { verdict, reason, packets, bytes } of reasons) {
        const counted = verdicts.find((one) => one.verdict === verdict && one.reason === reason)
        assert.deepEqual(counted, { verdict, reason, packets, bytes })
      }
    })

    test('tshark reads the packets from a file, with reason and service as comments', async () => {
      const file = lab.path(`${mode}.pcapng`)
      const { code, stderr } = await daemon.ask('drops', '-w', file, '--reason', 'no-container')
      assert.equal(code, 0, stderr)
      assert.equal(statSync(file).mode & 0o777, 0o600)
      const rows = await dissect(file, 'frame', [
        'ipv6.dst',
        'tcp.dstport',
        'tcp.checksum.status',
        'frame.comment',
      ])
      assert.equal(rows.length, 1)
      const [[destination, port, , comment]] = rows as [string[]]
      assert.deepEqual([destination, port], ['2001:db8:53::12', '80'])
      assert.match(comment!, /^answer no-container, the last of [1-9]\d*, service bare,/)
    })

    test('text2pcap reads what --hex prints, and it is the same packet', async () => {
      const { stdout } = await daemon.ask('drops', '--reason', 'port-closed', '--hex')
      assert.match(
        stdout,
        /^answer port-closed: [1-9]\d* packets?, .* ago\n {2}\[?2001:db8:19::3\]?:\d+ > .* TCP SYN/,
      )
      assert.match(stdout, /Serve the port/)
      const { reasons } = await read(daemon, '--reason', 'port-closed')
      const hex = [...stdout.matchAll(/^ {2}[0-9a-f]{6} {2}(.*)$/gm)].map(([, line]) => line).join(' ')
      assert.equal(hex.replaceAll(' ', ''), reasons[0]!.last.bytes)
    })

    test('what is asked wrongly is refused with what was expected', async () => {
      for (const [argv, message] of [
        [['--reason', 'known'], /'known' is invalid.*Allowed choices are/],
        [['-w', '/proc/nowhere/x'], /open \/proc\/nowhere\/x: ENOENT/],
        [['--hexx'], /unknown option '--hexx'/],
      ] as const) {
        const { code, stderr } = await daemon.ask('drops', ...argv)
        assert.ok(code === 2 || code === 1, stderr)
        assert.match(stderr, message)
      }
      await daemon.stop()
    })
  })

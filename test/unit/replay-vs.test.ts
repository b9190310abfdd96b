import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Address } from '../../src/address.ts'
import { pcapFileHeader, pcapRecordLength, writePcapRecord } from '../../src/packet/pcap.ts'
import { onehop } from '../support/cli.ts'
import { buildPacket, exchanged } from '../support/packets.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-vs-'))
after(() => rmSync(folder, { recursive: true }))

const OUT = join(folder, 'out.pcap')
const PUBLIC = 'cb00710a' as Address // 203.0.113.10
const WEB_1 = '0a4d000b' as Address // 10.77.0.11
const UDP = 17
const client = (n: number) => `c63364${(n + 1).toString(16).padStart(2, '0')}` as Address // 198.51.100.1 …
const clientText = (n: number) => `198.51.100.${n + 1}`

/** Whom a container serves is in the pins, so what differs between two configs can be read off them. */
const config = (name: string, pins: string) => {
  const path = join(folder, `${name}.yaml`)
  writeFileSync(
    path,
    `version: 1
interfaces: {bridges: [br0]}
key: "000102030405060708090a0b0c0d0e0f"
services:
  - name: web
    addresses: [203.0.113.10]
    ports: [80/udp]
    containers: [{name: web-1, address: 10.77.0.11}, {name: web-2, address: 10.77.0.12}]
    pins: [${pins}]
`,
  )
  return path
}
const pin = (source: string, container: string) => `{source: ${source}, container: ${container}}`

const request = (n: number, destinationPort = 80) =>
  buildPacket({ source: client(n), destination: PUBLIC, protocol: UDP, destinationPort })

function capture(name: string, packets: readonly Uint8Array[]): string {
  const records = packets.map((packet) => {
    const record = new Uint8Array(pcapRecordLength(packet))
    writePcapRecord(record, packet, 1_700_000_000_000_000_000n, 'us')
    return record
  })
  const path = join(folder, name)
  writeFileSync(path, Buffer.concat([pcapFileHeader('us'), ...records]))
  return path
}

const A = config('a', `${pin('198.51.100.0/24', 'web-1')}`)
const B = config('b', `${pin('198.51.100.0/24', 'web-1')}, ${pin('198.51.100.2', 'web-2')}`)

for (const engine of ['reference', 'native']) {
  const replay = (input: string, b: string, ...more: string[]) =>
    onehop('replay', input, OUT, '--config', A, '--vs', b, '--engine', engine, ...more)

  test(`${engine}: names the clients that the other config sends elsewhere, and exits with 1`, async () => {
    const input = capture('clients.pcap', [request(0), request(1), request(2), request(1)])
    const { code, stdout, stderr } = await replay(input, B)
    assert.deepEqual({ code, stderr }, { code: 1, stderr: '' })
    assert.equal(
      stdout,
      `source        service  A      B      packets
198.51.100.2  web      web-1  web-2        2

1 of 3 clients go elsewhere, with 2 of 4 packets
`,
    )
    const destinations = readFileSync(OUT).toString('hex').split(WEB_1).length - 1
    assert.equal(destinations, 4, 'what leaves is what A decides')
  })

  test(`${engine}: prints a line a client and the sums as JSON`, async () => {
    const input = capture('json.pcap', [request(0), request(1)])
    const { code, stdout } = await replay(input, B, '--json')
    assert.equal(code, 1)
    const place = (container: string) => ({ verdict: 'forward', service: 'web', container })
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { source: clientText(1), a: place('web-1'), b: place('web-2'), packets: 1 },
        { clients: 2, differentClients: 1, packets: 2, differentPackets: 1 },
      ],
    )
  })

  test(`${engine}: says nothing of answers, of which the other config knows nothing`, async () => {
    const answer = exchanged(request(1))
    const bytes = new DataView(answer.buffer, answer.byteOffset)
    bytes.setUint32(12, 0x0a4d000b)
    const input = capture('answers.pcap', [request(1), answer])
    const { stdout } = await replay(input, B, '--json')
    assert.deepEqual(JSON.parse(stdout.trimEnd().split('\n').at(-1)!), {
      clients: 1,
      differentClients: 1,
      packets: 1,
      differentPackets: 1,
    })
  })

  test(`${engine}: names the verdict of those who get no container, and both services`, async () => {
    const other = join(folder, 'moved.yaml')
    const yaml = readFileSync(A, 'utf8')
      .replace('name: web\n', 'name: shop\n')
      .replace('[80/udp]', '[81/udp]')
    writeFileSync(other, yaml)
    const input = capture('verdicts.pcap', [request(0), request(1), request(1, 81), request(1, 81)])
    const { code, stdout } = await replay(input, other)
    assert.equal(code, 1)
    assert.deepEqual(stdout.split('\n').slice(1, 4).map(words), [
      ['198.51.100.2', '- -> shop', 'answer port-closed', 'web-1', '2'],
      ['198.51.100.1', 'web -> -', 'web-1', 'answer port-closed', '1'],
      ['198.51.100.2', 'web -> -', 'web-1', 'answer port-closed', '1'],
    ])
  })

  test(`${engine}: finds no difference between a config and itself, and exits with 0`, async () => {
    const input = capture('same.pcap', [request(0), request(1)])
    assert.deepEqual(await replay(input, A), {
      code: 0,
      stdout: '0 of 2 clients go elsewhere, with 0 of 2 packets\n',
      stderr: '',
    })
  })
}

const words = (line: string): readonly string[] => line.split(/ {2,}/)

test('of many clients shows some and counts the rest', async () => {
  const input = capture(
    'many.pcap',
    Array.from({ length: 50 }, (_, n) => request(n)),
  )
  const all = config('all', pin('198.51.100.0/24', 'web-2'))
  const { stdout } = await onehop('replay', input, OUT, '--config', A, '--vs', all)
  assert.match(stdout, /\nand 30 more; --json names all\n/)
  assert.match(stdout, /\n50 of 50 clients go elsewhere, with 50 of 50 packets\n$/)
})

test('names the second config when it is wrong', async () => {
  const input = capture('wrong.pcap', [request(0)])
  const { code, stderr } = await onehop('replay', input, OUT, '-c', A, '--vs', join(folder, 'none.yaml'))
  assert.equal(code, 2)
  assert.match(stderr, /none\.yaml: open: ENOENT/)
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Explanation } from '../../src/explain/explanation.ts'
import { onehop } from '../support/cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-explain-'))
after(() => rmSync(folder, { recursive: true }))

const config = join(folder, 'onehop.yaml')
writeFileSync(
  config,
  `version: 1
interfaces: {bridges: [br0]}
key: "000102030405060708090a0b0c0d0e0f"
hairpin: {sources: [10.77.0.0/24]}
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080, 443/tcp]
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11"}
      - {name: web-2, address: 10.77.0.12, address6: "fd77::12", weight: 0}
      - {name: web-3, address6: "fd77::13"}
    pins:
      - {source: 198.51.100.0/24, container: web-1}
      - {source: 198.51.0.0/16, container: web-2}
      - {source: 198.51.100.9, container: web-3}
  - name: rest
    addresses: [203.0.113.10]
    ports: all
    containers: [{name: rest-1, address: 10.77.0.21}]
`,
)
const table = join(folder, 'table.csv')
writeFileSync(
  table,
  `scope,source,container,origin,since,seen,packets,bytes
web,192.0.2.7,web-2,assigned,2026-01-31T12:01:40Z,2026-01-31T12:16:30Z,1300,180000
web,192.0.2.8,web-3,assigned,2026-01-31T12:01:40Z,2026-01-31T12:16:40Z,3,180
web,192.0.2.9,web-1,assigned,2026-01-31T01:00:00Z,2026-01-31T02:00:00Z,3,180
`,
)

async function explain(source: string, ...argv: readonly string[]) {
  const { code, stdout, stderr } = await onehop('explain', source, '--config', config, '--json', ...argv)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Explanation
}

const web = async (source: string) =>
  (await explain(source, '--service', 'web', '--table', table)).services[0]!

test('pins are told longest first, with what became of each', async () => {
  const { decision, pins, containers } = await web('198.51.100.9')
  assert.deepEqual(decision, { reason: 'pinned', container: 'web-1' })
  assert.deepEqual(
    pins.map(({ source, by, result }) => [source, by, result]),
    [
      ['198.51.100.9', 'config', 'cannot'],
      ['198.51.100.0/24', 'config', 'decides'],
      ['198.51.0.0/16', 'config', 'shorter'],
    ],
  )
  assert.deepEqual(
    containers.map(({ name, verdict }) => [name, verdict]),
    [
      ['web-1', 'yes'],
      ['web-2', 'pin'],
      ['web-3', 'family'],
    ],
  )
})

test('an entry is told with its age as of the newest of the saved table', async () => {
  const { decision, entry } = await web('192.0.2.7')
  assert.deepEqual(decision, { reason: 'known', container: 'web-2' })
  assert.deepEqual(
    [entry?.since, entry?.ageSeconds, entry?.unseenSeconds, entry?.origin, entry?.packets, entry?.holds],
    ['2026-01-31T12:01:40Z', 900, 10, 'assigned', 1300, 'yes'],
  )
})

test('an entry that cannot be kept to says why, and the algorithm decides', async () => {
  for (const [source, holds] of [
    ['192.0.2.8', 'family'],
    ['192.0.2.9', 'idle'],
  ] as const) {
    const { decision, entry, containers } = await web(source)
    assert.deepEqual([decision, entry?.holds], [{ reason: 'chosen', container: 'web-1' }, holds])
    assert.equal(containers.find(({ name }) => name === 'web-2')!.verdict, 'weight')
  }
})

test('a port leads to the service that it belongs to, any other to the one with all ports', async () => {
  const names = async (port: string) =>
    (await explain('192.0.2.1', '--port', port)).services.map(({ service }) => service)
  assert.deepEqual(await names('443/tcp'), ['web'])
  assert.deepEqual(await names('443/udp'), ['rest'])
  assert.deepEqual(await names('443'), ['web', 'rest'])
  assert.deepEqual(await names('22'), ['rest'])
})

test('what is rewritten names each way in, and a local source its alias', async () => {
  const { alias, services } = await explain('10.77.0.11', '--service', 'web')
  assert.equal(alias, '250.77.0.11')
  assert.deepEqual(services[0]!.rewrites, [
    { from: '203.0.113.10:80/tcp', to: '10.77.0.11:8080/tcp' },
    { from: '203.0.113.10:443/tcp', to: '10.77.0.11:443/tcp' },
  ])
})

test('the text says it in sentences, without colours where nobody sees them', async () => {
  const { stdout } = await onehop('explain', '198.51.100.9', '--config', config, '--service', 'web')
  assert.ok(!stdout.includes('\x1b'))
  assert.match(
    stdout,
    /^198\.51\.100\.9 asking web at 203\.0\.113\.10:80\/tcp.* goes to web-1, because it is pinned/,
  )
  assert.match(stdout, /Pin 198\.51\.100\.9 → web-3 \(config\) is passed over/)
  assert.match(stdout, /✗ web-3 .*no address of this family/)
})

test('what cannot be asked is told', async () => {
  const refusal = async (...argv: readonly string[]) => {
    const { code, stdout, stderr } = await onehop('explain', ...argv)
    assert.deepEqual([code, stdout], [2, ''])
    return stderr
  }
  const file = ['--config', config]
  assert.match(await refusal('198.51.100', ...file), /expected an IPv4 or IPv6 address/)
  assert.match(await refusal('192.0.2.1', ...file, '--service', 'shop'), /"shop" is no service/)
  assert.match(await refusal('2001:db8::1', ...file, '--service', 'rest'), /does not have an IPv6 address/)
  assert.match(await refusal('2001:db8::1', ...file, '--port', '22'), /no service has port 22/)
  assert.match(await refusal('192.0.2.1', ...file, '--port', '70000'), /--port "70000"; expected 80/)
  assert.match(await refusal('192.0.2.1', '--table', table), /without --config/)
})

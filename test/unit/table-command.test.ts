import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Api } from '../../src/api/api.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { makeRows, writeEntry } from '../../src/table/rows.ts'
import { serveSource } from '../support/api.ts'
import { onehop } from '../support/cli.ts'
import { ENGINES } from '../support/engines.ts'
import { Operated } from '../support/operated.ts'
import { buildPacket } from '../support/packets.ts'

const YAML = `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    containers: [{name: a, address: 10.77.0.11}, {name: b, address: 10.77.0.12, address6: "fd77::12"}]
    pins: [{source: 198.51.100.0/24, container: a}]
  - name: shop
    addresses: [203.0.113.11, "2001:db8::11"]
    ports: [80/tcp]
    containers: [{name: b, address: 10.77.0.12, address6: "fd77::12"}]
    affinity: {scope: address, prefix4: 24}
`
/** When the clock of the tables here is 0; it is 1,000 s now. */
const ZERO_MS = Date.UTC(2026, 0, 31, 12)
const CSV = `scope,source,container,origin,since,seen,packets,bytes
web,198.51.100.7,a,assigned,2026-01-31T12:01:40Z,2026-01-31T12:16:30Z,3,180
web,2001:db8::7,b,restored,2026-01-30T12:00:00Z,2026-01-31T12:16:40Z,0,0
address 203.0.113.11,192.0.2.0,b,pinned,2026-01-31T12:00:00Z,2026-01-31T12:00:01Z,4294967295,9007199254740991
`

let folder = ''
let path = ''
let api: Api | undefined
let operated: Operated
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-table-'))
  path = join(folder, 't0.sock')
})
afterEach(async () => {
  await api?.close()
  api = undefined
  rmSync(folder, { recursive: true })
})

async function serve(create = createNativeEngine, capacity = 1_000): Promise<void> {
  operated = new Operated(YAML, { create, capacity, zeroMs: ZERO_MS, pinsPath: join(folder, 'pins') })
  api = await serveSource(path, {
    status: () => ({ table: operated.table.counters().table }) as never,
    table: operated.operator,
  })
}

function fill(): void {
  const { identities, table } = operated
  const put = (
    scope: string,
    source: string,
    container: string,
    origin: 'pinned' | 'assigned' | 'restored',
    n: readonly number[],
  ) => {
    const rows = makeRows(1)
    const [sinceSeconds, seenSeconds, packets, bytes] = n as [number, number, number, number]
    const [scopeId, containerId] = [identities.scope(scope), identities.container(container)]
    const key = { scope: scopeId, source: source as Address }
    writeEntry(rows, 0, { ...key, container: containerId, origin, sinceSeconds, seenSeconds, packets, bytes })
    table.put(rows, true)
  }
  put('service web', 'c6336407', 'a', 'assigned', [100, 990, 3, 180])
  put('service web', '20010db8000000000000000000000007', 'b', 'restored', [-86_400, 1_000, 0, 0])
  put('address 4 cb00710b', 'c0000200', 'b', 'pinned', [0, 1, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER])
}

const table = (...argv: readonly string[]) => onehop('table', ...argv, '--socket', path)

/** What it prints, when it should work. */
async function printed(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await table(...argv)
  assert.equal(`${code} ${stderr}`, '0 ')
  return stdout
}

const linesOf = (text: string): readonly string[] => text.trimEnd().split('\n').sort()

for (const [name, create] of ENGINES)
  describe(`onehop table on a ${name} table`, () => {
    test('exports what there is, and imports the same again', async () => {
      await serve(create)
      fill()
      assert.deepEqual(linesOf(await printed('export')), linesOf(CSV))
      const json = await printed('export', '--format', 'json')
      for (const text of [CSV, json]) {
        assert.equal(await printed('forget', '--all', '--json'), '{\n  "forgotten": 3\n}\n')
        const file = join(folder, 'entries')
        writeFileSync(file, text)
        assert.equal(await printed('import', file, '--json'), '{\n  "imported": 3\n}\n')
        const restored = CSV.replaceAll(/assigned|pinned/g, 'restored')
        assert.deepEqual(linesOf(await printed('export')), linesOf(restored))
      }
    })

    test('lists by service, container and prefix', async () => {
      await serve(create)
      fill()
      const sources = async (...argv: readonly string[]) =>
        linesOf(await printed('list', '--json', ...argv)).map(
          (line) => (JSON.parse(line) as { source: string }).source,
        )
      assert.deepEqual(await sources('--service', 'web'), ['198.51.100.7', '2001:db8::7'])
      assert.deepEqual(await sources('--container', 'b'), ['192.0.2.0', '2001:db8::7'])
      assert.deepEqual(await sources('--container', 'b', '--service', 'web'), ['2001:db8::7'])
      assert.deepEqual(await sources('--prefix', '198.51.100.0/25'), ['198.51.100.7'])
      assert.deepEqual(await sources('--prefix', '2001:db8::/32'), ['2001:db8::7'])
      assert.deepEqual(await sources('--prefix', '0.0.0.0/0'), ['192.0.2.0', '198.51.100.7'])
      assert.equal((await sources('--limit', '2')).length, 2)
      assert.equal(
        await printed('list', '--prefix', '10.0.0.0/8'),
        'scope  source  container  origin  since  seen  packets  bytes\n',
      )
      assert.match(
        await printed('list', '--service', 'shop'),
        /^scope +source .*\naddress 203\.0\.113\.11 +192\.0\.2\.0 +b +pinned /,
      )
    })

    test('says what is known of a client, under whatever part of its address', async () => {
      await serve(create)
      fill()
      const get = async (source: string) => JSON.parse(await printed('get', source, '--json'))
      const known = await get('198.51.100.7')
      assert.deepEqual(known, {
        entries: [
          {
            scope: 'web',
            source: '198.51.100.7',
            container: 'a',
            origin: 'assigned',
            since: '2026-01-31T12:01:40Z',
            seen: '2026-01-31T12:16:30Z',
            packets: 3,
            bytes: 180,
          },
        ],
        pins: [{ service: 'web', source: '198.51.100.0/24', container: 'a', by: 'config' }],
      })
      const other = await get('192.0.2.99')
      assert.deepEqual([other.entries.length, other.entries[0].source, other.pins], [1, '192.0.2.0', []])
      assert.deepEqual(await get('10.0.0.1'), { entries: [], pins: [] })
    })

    test('forgets what is chosen, and nothing when nothing is', async () => {
      await serve(create)
      fill()
      const { code, stderr } = await table('forget')
      assert.deepEqual(
        [code, stderr],
        [2, 'onehop: nothing chosen; expected a service, container or prefix, or all\n'],
      )
      assert.equal(await printed('forget', '--container', 'b', '--service', 'web'), 'forgotten  1\n')
      assert.equal(operated.table.counters().table.entries, 2)
      assert.equal(await printed('forget', '--prefix', '198.51.100.7'), 'forgotten  1\n')
      assert.equal(operated.table.counters().table.entries, 1)
    })

    test("an operator's pin wins over the config's for the same source, until it is taken back", async () => {
      await serve(create)
      const goes = () => {
        const packet = buildPacket({
          source: 'c6336407' as Address,
          destination: 'cb00710a' as Address,
          protocol: 6,
        })
        return operated.identities.containerName(operated.table.process(packet, 1_000).container)
      }
      assert.equal(goes(), 'a')
      const pin = { service: 'web', source: '198.51.100.0/24', container: 'b' }
      const shown = await printed('pin', '198.51.100.0/24', 'b', '--service', 'web', '--json')
      assert.deepEqual(JSON.parse(shown), { pins: [pin] })
      assert.equal(goes(), 'b')
      assert.deepEqual(JSON.parse(await printed('get', '198.51.100.9', '--json')).pins, [
        { ...pin, by: 'operator' },
      ])
      assert.deepEqual(JSON.parse(await printed('list', '--pins', '--json')), { pins: [pin] })
      await printed('unpin', '198.51.100.0/24', '--service', 'web')
      assert.equal(goes(), 'a')
    })
  })

const IMPORTS: readonly (readonly [what: string, text: string, faults: string])[] = [
  [
    'no header',
    'web,198.51.100.7,a\n',
    '1: "web,198.51.100.7,a"; expected a header such as scope,source,container,origin,since,seen,packets,bytes, or JSON',
  ],
  [
    'names and addresses that are none',
    'scope,source,container\nwebb,192.0.2.1,a\nweb,192.0.2.256,a\n\nweb,192.0.2.1,c\nweb,192.0.2.1\nweb,192.0.2.01,a\n',
    `2: scope "webb"; expected one of web, address 203.0.113.11, address 2001:db8::11
3: source "192.0.2.256"; expected an IPv4 or IPv6 address
5: container "c"; expected one of a, b
6: 2 values; expected 3, as in the header
7: source "192.0.2.01"; expected an IPv4 or IPv6 address`,
  ],
  [
    'more of a source than counts',
    '{"scope": "address 203.0.113.11", "source": "192.0.2.7", "container": "b"}\n',
    '1: source "192.0.2.7"; expected no bits after the first 24, which is what counts in address 203.0.113.11',
  ],
  [
    'times and counts that are none',
    'scope,source,container,since,packets\nweb,::1,a,yesterday,1\nweb,::2,a,,-1\nweb,::3,a,2026-13-01T00:00:00Z,1\n',
    `2: since "yesterday"; expected a time such as 2026-01-31T12:00:00Z
3: packets "-1"; expected 0 to 4294967295
4: since "2026-13-01T00:00:00Z"; expected a time such as 2026-01-31T12:00:00Z`,
  ],
  [
    'JSON that is none',
    '{"scope": "web"\n{"scope": "web", "sauce": 1}\n',
    '1: no JSON; expected one object a line\n2: "sauce": no field; expected scope, source, container, origin, since, seen, packets, bytes',
  ],
]
for (const [what, text, faults] of IMPORTS)
  test(`import refuses ${what}, by line, and imports nothing`, async () => {
    await serve()
    const file = join(folder, 'entries')
    writeFileSync(
      file,
      `${text}${text.startsWith('{') ? '{"scope":"web","source":"10.0.0.1","container":"a"}' : ''}\n`,
    )
    const { code, stderr } = await table('import', file)
    const expected = faults.split('\n').map((fault) => `${file}:${fault}`)
    assert.equal(stderr, `onehop: ${expected.join('\n')}\nnothing was imported\n`)
    assert.equal(code, 1)
    assert.equal(operated.table.counters().table.entries, 0)
  })

test('import puts nothing into a table without room for all of it', async () => {
  await serve(createNativeEngine, 2)
  const file = join(folder, 'entries')
  writeFileSync(file, CSV)
  const { code, stderr } = await table('import', file)
  assert.deepEqual([code, stderr], [2, 'onehop: the table has no room for 1 of them; nothing was imported\n'])
  assert.equal(operated.table.counters().table.entries, 0)
})

test('files are named when they cannot be read or written', async () => {
  await serve()
  const cases = [
    ['import', join(folder, 'none')],
    ['import', folder],
    ['export', '--output', join(folder, 'none', 'file')],
  ]
  for (const argv of cases) {
    const { code, stderr } = await table(...argv)
    assert.equal(code, 1)
    assert.match(stderr, /^onehop: \/.*: (open: ENOENT|expected a regular file)\n$/)
  }
})

test('names that the daemon does not have are refused', async () => {
  await serve()
  const cases: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
    [['list', '--service', 'no'], /"no" is no service; expected one of: onehop status/],
    [['list', '--container', 'no'], /"no" is no container; expected one of: onehop containers list/],
    [['list', '--prefix', '10.0.0.1/8'], /"10\.0\.0\.1\/8": expected an address or a prefix/],
    [['list', '--limit', '0'], /--limit "0"; expected a whole number from 1 on/],
    [['get', 'localhost'], /"localhost": expected an IPv4 or IPv6 address/],
    [['pin', '10.0.0.1', 'c', '--service', 'web'], /"c" is no container of service "web"/],
    [['pin', '10.0.0.1/8', 'a', '--service', 'web'], /"10\.0\.0\.1\/8": expected an address or a prefix/],
    [['unpin', '10.0.0.1', '--service', 'web'], /10\.0\.0\.1 is not pinned in service "web" by an operator/],
  ]
  for (const [argv, message] of cases) {
    const { code, stderr } = await table(...argv)
    assert.match(stderr, message)
    assert.equal(code, 2)
  }
})

test("the operator's pins are on the disk before the answer, for the owner alone, and there at the next start", async () => {
  await serve()
  await printed('pin', '2001:db8::/32', 'a', '--service', 'web')
  const file = join(folder, 'pins')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const next = new Operated(YAML, { pinsPath: file })
  assert.equal(await next.pins.load(), undefined)
  const pin = { service: 'web', source: '2001:db8::/32', container: 'a' }
  assert.deepEqual(next.operator.pins(), [pin])
  assert.ok(!existsSync(`${file}.new`))

  const gone = new Operated(YAML.replace('name: web', 'name: net'), { pinsPath: file })
  await gone.pins.load()
  assert.deepEqual(gone.operator.source('2001:db8::1').pins, [])
  assert.deepEqual(gone.operator.pins(), [pin])
})

test('a pin that cannot be stored is not in force', async () => {
  operated = new Operated(YAML, { pinsPath: join(folder, 'none', 'pins') })
  const pin = { service: 'web', source: '192.0.2.1', container: 'a' }
  await assert.rejects(operated.operator.pin(pin), /pins: open: ENOENT; nothing was changed/)
  assert.deepEqual(operated.operator.pins(), [])
})

test('pins that cannot be read are set aside', async () => {
  const file = join(folder, 'pins')
  writeFileSync(file, '{"version": 1, "pins": [')
  const { pins } = new Operated(YAML, { pinsPath: file })
  assert.match((await pins.load())!, /pins: .*JSON.*; set aside as .*pins\.unreadable/)
  assert.equal(readFileSync(`${file}.unreadable`, 'utf8'), '{"version": 1, "pins": [')
  assert.deepEqual(pins.list(), [])
})

/** `services[].sources`: lists in the config and in files, and what is wrong with them. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { Compiler } from '../../src/compile.ts'
import { parseAddress } from '../../src/config/address.ts'
import { loadConfig } from '../../src/config/load.ts'
import { OnehopError } from '../../src/errors.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ALLOWED, DENIED } from '../../src/prefix-table.ts'
import { ENGINES } from '../support/engines.ts'
import { buildPacket } from '../support/packets.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-sources-'))
after(() => rmSync(folder, { recursive: true }))

const FILES = ['allowed.txt', 'denied.txt'] as const

function load(sources: string, files: Partial<Record<(typeof FILES)[number], string>> = {}) {
  for (const name of FILES) {
    rmSync(join(folder, name), { force: true })
    if (files[name] !== undefined) writeFileSync(join(folder, name), files[name])
  }
  writeFileSync(
    join(folder, 'onehop.yaml'),
    `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    containers: [{name: a, address: 10.77.0.11}]
    sources: ${sources}
`,
  )
  return loadConfig(join(folder, 'onehop.yaml'))
}

function faultsOf(...given: Parameters<typeof load>): string {
  try {
    load(...given)
  } catch (error) {
    assert.ok(error instanceof OnehopError, `${error}`)
    return error.message.replaceAll(folder, '')
  }
  return 'taken'
}

const FAULTS: readonly (readonly [what: string, given: Parameters<typeof load>, message: RegExp])[] = [
  [
    'a word that is none',
    ['{forbid: [10.0.0.0/8]}'],
    /^\/onehop\.yaml:8:15: .*forbid.*allow, allowFrom, deny, denyFrom/,
  ],
  ['bits after the length', ['{deny: [10.0.0.1/8]}'], /:8:\d+: services\[0\]\.sources\.deny\[0\]: .*no bits/],
  [
    'a prefix on both lists',
    ['{allow: [10.0.0.0/8], deny: [10.0.0.0/8]}'],
    /deny\[0\]: "10\.0\.0\.0\/8"; expected each prefix once/,
  ],
  [
    'no file',
    ['{denyFrom: denied.txt}'],
    /^\/denied\.txt: .*: ENOENT; expected .* as sources\.denyFrom says$/,
  ],
  [
    'a line that is no prefix',
    ['{denyFrom: denied.txt}', { 'denied.txt': '# list\n10.0.0.0/8\nhere\n' }],
    /^\/denied\.txt:3:1: "here"; expected an address or a prefix/,
  ],
  [
    'a prefix of the config in a file',
    ['{allow: [10.0.0.0/8], denyFrom: denied.txt}', { 'denied.txt': '10.0.0.0/8\n' }],
    /^\/denied\.txt:1:1: 10\.0\.0\.0\/8 given twice$/,
  ],
  ['another answer', ['{deny: [], denied: maybe}'], /denied: "maybe"; expected drop or reject/],
]

for (const [what, given, message] of FAULTS)
  test(`refuses ${what}`, () => assert.match(faultsOf(...given), message))

test('a list that allows, be it empty or in a file, closes the service to all others', () => {
  const isOpen = (...given: Parameters<typeof load>) => load(...given).services[0]!.sources!.isOpen
  assert.equal(isOpen('{deny: [10.0.0.0/8]}'), true)
  assert.equal(isOpen('{allow: []}'), false)
  assert.equal(isOpen('{allowFrom: allowed.txt}', { 'allowed.txt': '' }), false)
})

test('what the config and both files say is one table', () => {
  const files = { 'allowed.txt': '10.1.0.0/16\n2001:db8::/32\n', 'denied.txt': '# bad\n\n10.1.2.3\n' }
  const { table } = load('{deny: [10.0.0.0/8], allowFrom: allowed.txt, denyFrom: denied.txt}', files)
    .services[0]!.sources!
  const first = (source: string) => [...table.covering(parseAddress(source)!)][0]?.number
  assert.equal(table.size, 4)
  assert.deepEqual(['10.9.9.9', '10.1.9.9', '10.1.2.3', '2001:db8::1', '192.0.2.1'].map(first), [
    DENIED,
    ALLOWED,
    DENIED,
    ALLOWED,
    undefined,
  ])
})

for (const [name, create] of ENGINES)
  test(`${name}: a hundred thousand denied prefixes of a file, each of them and none beside them`, () => {
    const sourceOf = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
    const lines = Array.from({ length: 100_000 }, (_, i) => `${sourceOf(2 * i)}\n`)
    const config = load('{denyFrom: denied.txt}', { 'denied.txt': lines.join('') })
    const engine = create({ capacity: 16, probation: 16, flows: 16, fragments: 16 })
    engine.publish(new Compiler(new Identities(), new Uint8Array(16)).compile(config))
    for (let i = 0; i < 200_000; i += 997) {
      const packet = buildPacket({
        source: parseAddress(sourceOf(i))!,
        destination: parseAddress('203.0.113.10')!,
        protocol: 6,
      })
      const expected = i % 2 === 0 ? ['drop', 'denied'] : ['forward', 'chosen']
      assert.deepEqual(REASONS[engine.process(packet, 1).code], expected, sourceOf(i))
    }
  })

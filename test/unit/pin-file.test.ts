import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Address } from '../../src/address.ts'
import { compileSnapshot } from '../../src/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { OnehopError } from '../../src/errors.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES } from '../support/engines.ts'
import { buildPacket } from '../support/packets.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-pins-'))
after(() => rmSync(folder, { recursive: true }))

const CONFIG = `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    containers: [{name: a, address: 10.77.0.11}, {name: b, address: 10.77.0.12}, {name: c, address: 10.77.0.13}]
    pinsFrom: pins.csv
    pins: [{source: 198.51.100.7, container: c}]
`

function load(pins: string | undefined) {
  writeFileSync(join(folder, 'onehop.yaml'), CONFIG)
  rmSync(join(folder, 'pins.csv'), { force: true })
  if (pins !== undefined) writeFileSync(join(folder, 'pins.csv'), pins)
  return loadConfig(join(folder, 'onehop.yaml'))
}

function faultsOf(pins: string | undefined): string {
  try {
    load(pins)
  } catch (error) {
    assert.ok(error instanceof OnehopError, `${error}`)
    return error.message.replaceAll(folder, '')
  }
  return ''
}

const FAULTS: readonly (readonly [what: string, pins: string | undefined, message: RegExp])[] = [
  ['no file', undefined, /^\/pins\.csv: .*: ENOENT; expected a file of prefixes, as pinsFrom says$/],
  ['no source', ',a\n', /^\/pins\.csv:1:1: ""; expected an address or a prefix/],
  ['a container alone', '# pins\n\nweb-1\n', /^\/pins\.csv:3:1: "web-1"; expected an address or a prefix/],
  [
    'a source alone',
    '198.51.100.0/24',
    /:1:1: "" is no container of the service; expected PREFIX,CONTAINER$/,
  ],
  ['bits after the length', '198.51.100.1/24,a\n', /:1:1: "198\.51\.100\.1\/24"; expected .* no bits set/],
  ['a leading zero', '198.51.100.010,a\n', /:1:1: "198\.51\.100\.010"; expected/],
  ['a container of nobody', '::1,a\n::2,a,x\n', /:2:1: "x" is no container of the service/],
  ['a source twice', '10.0.0.0/8,a\n10.0.0.0/8,b\n', /:2:1: 10\.0\.0\.0\/8 given twice$/],
]
for (const [what, pins, message] of FAULTS)
  test(`refuses ${what}`, () => assert.match(faultsOf(pins) || 'taken', message))

test('tells what is wrong in every line, up to some', () => {
  assert.equal(faultsOf('x,a\n10.0.0.0/8,a\ny,a\n').split('\n').length, 2)
})

for (const [name, create] of ENGINES)
  test(`${name}: a hundred thousand pins of a file, the longest first, those of the config before them`, () => {
    const many = Array.from(
      { length: 100_000 },
      (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255},${'ab'[i % 2]}`,
    )
    const config = load(
      ['# by network', '10.0.0.0/8,c', '198.51.100.7,a', '198.51.100.0/24,a,b', ...many, ''].join('\r\n'),
    )
    const identities = new Identities()
    const engine = create({ capacity: 64, probation: 64, flows: 16, fragments: 16 })
    engine.publish(compileSnapshot(config, identities, new Uint8Array(16)))
    const placeOf = (source: string) => {
      const packet = buildPacket({
        source: source as Address,
        destination: 'cb00710a' as Address,
        protocol: 6,
      })
      const { code, container } = engine.process(packet, 1)
      return [REASONS[code]![1], identities.containerName(container)]
    }
    assert.deepEqual(placeOf('0a000000'), ['pinned', 'a'])
    assert.deepEqual(placeOf('0a01869f'), ['pinned', 'b'])
    assert.deepEqual(placeOf('0a0186a0'), ['pinned', 'c'])
    assert.deepEqual(placeOf('c6336407'), ['pinned', 'c'])
    const spread = new Set(
      Array.from({ length: 32 }, (_, i) => placeOf(`c63364${(i + 16).toString(16)}`).join(' ')),
    )
    assert.deepEqual([...spread].sort(), ['pinned a', 'pinned b'])
    assert.equal(placeOf('cb007163')[0], 'chosen')
  })

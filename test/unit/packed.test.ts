import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { packConfig, unpackConfig } from '../../src/config/packed.ts'
import { DENIED, type PrefixTable } from '../../src/prefix-table.ts'
import { WORLDS } from '../support/worlds.ts'

const YAML = `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.10], ports: all, containers: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}], pinsFrom: pins.csv}
  - {name: dns, addresses: ["2001:db8:53::10"], ports: [53/udp], containers: [{name: c, address6: "fd00::1"}], health: {type: udp, send: "\\x00"}, sources: {allow: [198.51.100.0/24, "2001:db8:18::/48"], deny: [198.51.100.7], denyFrom: denied.txt, denied: reject}}
`
const PINS = '198.51.100.0/24,a\n198.51.100.7,b\n192.0.2.0/25,a,b\n2001:db8:18::/48,b\n'

const rowsOf = <Of extends { readonly table: PrefixTable }>(of: Of | undefined) =>
  of && { ...of, table: [of.table.rows(4), of.table.rows(6)] }

const withRows = ({ services, ...rest }: Config) => ({
  ...rest,
  services: services.map((one) => ({ ...one, pinFile: rowsOf(one.pinFile), sources: rowsOf(one.sources) })),
})

/** The same values, and as many keys: what is left out is not the same as what is undefined. */
function assertUnpacked(config: Config): Config {
  const unpacked = unpackConfig(packConfig(config))
  assert.deepEqual(withRows(unpacked), withRows(config))
  assert.equal(JSON.stringify(unpacked), JSON.stringify(config))
  return unpacked
}

test('a config that was packed is the same one', () => {
  for (const { config } of WORLDS) assertUnpacked(config)
})

test('tables of prefixes are asked and told as before, and more can be added to them', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-packed-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'c.yaml'), YAML)
  writeFileSync(join(folder, 'pins.csv'), PINS)
  writeFileSync(join(folder, 'denied.txt'), '198.51.100.128/25\n2001:db8:18:1::/64\n')
  const config = loadConfig(join(folder, 'c.yaml'))
  const unpacked = assertUnpacked(config)
  const [before, after] = [config, unpacked].map(({ services }) => services[0]!.pinFile!.table)
  assert.equal(after!.size, 4)
  for (const family of [4, 6] as const) assert.deepEqual(after!.rows(family), before!.rows(family))
  for (const address of ['c6336407', 'c6336408', 'c0000201', 'c0000281', '20010db8001800000000000000000001'])
    assert.deepEqual([...after!.covering(address as never)], [...before!.covering(address as never)])
  const added = { address: 'c6336408' as never, length: 32 }
  assert.deepEqual([after!.add(added, 1), after!.add(added, 1)], [true, false])
  assert.deepEqual([...after!.covering('c6336408' as never)][0], { length: 32, number: 1 })

  const { table } = unpacked.services[1]!.sources!
  assert.deepEqual([...table.covering('c6336481' as never)][0], { length: 25, number: DENIED })
})

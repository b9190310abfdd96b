import assert from 'node:assert/strict'
import test from 'node:test'
import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import type { ContainerState } from '../../src/pipeline/snapshot.ts'
import { Rings } from '../../src/table/rings.ts'

/** What is kept from one snapshot to the next. */

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i)

const CONFIG = parseConfig(
  `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp]
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11"}
      - {name: web-2, address: 10.77.0.12}
  - name: dns
    addresses: [203.0.113.11]
    ports: [53/udp]
    containers: [{name: dns-1, address: 10.77.0.21}, {name: dns-2, address: 10.77.0.22, weight: 3}]
`,
  'rings.yaml',
)

const IDENTITIES = new Identities()

const compile = (down: string | undefined, rings?: Rings) => {
  const stateOf = (name: string): ContainerState => (name === down ? 'down' : 'ready')
  return compileSnapshot(CONFIG, IDENTITIES, KEY, stateOf, rings)
}

test('a change builds no ring but those of its own service', () => {
  const rings = new Rings(KEY)
  const [web, dns] = compile(undefined, rings).services
  const [webAfter, dnsAfter] = compile('dns-1', rings).services
  assert.equal(webAfter!.ring4, web!.ring4)
  assert.equal(webAfter!.ring6, web!.ring6)
  assert.notDeepEqual(dnsAfter!.ring4, dns!.ring4)
})

test('a snapshot is the same whatever was compiled before it', () => {
  const rings = new Rings(KEY)
  for (const down of [undefined, 'web-1', 'dns-2', 'web-2', undefined, 'web-1'])
    assert.deepEqual(compile(down, rings), compile(down))
})

test('a ring that a snapshot did not use is forgotten', () => {
  const rings = new Rings(KEY)
  const before = compile(undefined, rings).services[0]!.ring4
  compile('web-1', rings)
  const after = compile(undefined, rings).services[0]!.ring4
  assert.notEqual(after, before)
  assert.deepEqual(after, before)
})

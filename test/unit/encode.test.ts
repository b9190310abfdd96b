import assert from 'node:assert/strict'
import test from 'node:test'
import { type AddonEngine, loadAddon } from '../../src/dataplane/addon.ts'
import { encodeSnapshot, encodeUpdate } from '../../src/dataplane/encode.ts'
import type { Snapshot } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { Services } from '../support/engines.ts'
import { buildPacket } from '../support/packets.ts'
import { Random } from '../support/random.ts'

const SIZES = { capacity: 16, probation: 16, flows: 16, fragments: 16 }

/** A local source of either family, limits for new ones, one service with one member, pin, denied prefix and front. */
const SNAPSHOT: Snapshot = {
  ...new Services().compile(
    `
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp->8080]
    containers: [{name: web-1, address: 10.77.0.11, address6: "fd77::11"}]
    pins: [{source: 198.51.100.0/24, container: web-1}]
    sources: {deny: [198.51.101.0/24]}
`,
    {},
    'hairpin: {sources: [10.77.0.0/16, "fd77::/64"]}\nnewSources: {perPrefix: 100}',
  ),
}
const BYTES = encodeSnapshot(SNAPSHOT)

const HAIRPIN = 4 + 4 + 16 + 1
const SOURCE = HAIRPIN + 1 + 5 + 17 + 4
const LIMITS = SOURCE + 6 + 18
const WHOLE = LIMITS + 1 + 4 + 4 + 1 + 1 + 1
const SERVICE = WHOLE + 1 + 4 + 4
const MEMBER = SERVICE + 13 + 4
const PINS = MEMBER + 39
const SETS = PINS + 1 + 4 + 7 + 4 + 4
const ADMISSION = SETS + 4 + 2
const FRONT = ADMISSION + 1 + 4 + 7 + 4 + 2 + 4
const END = FRONT + 22

const open = (): AddonEngine => new (loadAddon().Engine)(SIZES)

/** What publishing says of these bytes with some replaced; undefined when it takes them. */
function refusal(at: number, ...replacement: readonly number[]): string | undefined {
  const bytes = BYTES.slice()
  bytes.set(replacement, at)
  return refusalOf(bytes)
}

function refusalOf(bytes: Uint8Array): string | undefined {
  try {
    open().publish(bytes)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

test('takes what encodeSnapshot wrote', () => {
  assert.equal(refusalOf(BYTES), undefined)
  assert.equal(BYTES.length, END)
})

const REFUSED: readonly (readonly [what: string, at: number, bytes: readonly number[], message: RegExp])[] = [
  ['another magic', 0, [0], /^snapshot: magic: .*; expected 1hop$/],
  ['another version', 4, [2], /^snapshot: version: 2; expected 5 to 5$/],
  ['a boolean of 2', 24, [2], /^snapshot: unserved: 2; expected 0 to 1$/],
  ['an alias prefix of length 0', HAIRPIN + 1, [0], /^snapshot: alias4: 0; expected 1 to 32$/],
  [
    'a source larger than its alias prefix',
    SOURCE + 1,
    [3],
    /^snapshot: sources\[0\]\.length: 3; expected 4 to 32$/,
  ],
  [
    'a limit that does not fit a bucket',
    LIMITS + 1,
    [161, 134, 1, 0],
    /^snapshot: per source: 100001; expected 0 to 100000$/,
  ],
  ['no burst', LIMITS + 9, [0], /^snapshot: burst: 0; expected 1 to 60$/],
  ['a limit of all IPv6 together', LIMITS + 11, [0], /^snapshot: prefix6: 0; expected 1 to 128$/],
  [
    'more services than bytes',
    SERVICE - 4,
    [255, 255, 255, 255],
    /^snapshot: services: 4294967295 elements; expected/,
  ],
  ['service id 0', SERVICE, [0, 0, 0, 0], /^snapshot: services\[0\]\.id: 0; expected 1 to 16777215$/],
  ['a container id of 25 bits', MEMBER, [0, 0, 0, 1], /members\[0\]\.container: 16777216;/],
  ['a state that is none', MEMBER + 4, [3], /members\[0\]\.state: 3; expected 0 to 2$/],
  ['a prefix longer than its family', SERVICE + 4, [33], /services\[0\]\.prefix4: 33; expected 0 to 32$/],
  ['an IPv6 prefix of 129', SERVICE + 5, [129], /services\[0\]\.prefix6: 129; expected 0 to 128$/],
  ['pins of a kind that is none', PINS, [3], /services\[0\]\.pins: 3; expected 0 to 2$/],
  ['half a row of a pin', PINS + 1, [8], /services\[0\]\.pins4: 8 bytes; expected a multiple of 7$/],
  ['a pin longer than its family', PINS + 9, [33], /services\[0\]\.pins4: length 33; expected at most 32$/],
  ['a pin to a set that is not there', PINS + 10, [1], /a pin to set 1; expected a position below 1$/],
  [
    'a pin to a member that is not there',
    SETS + 4,
    [1],
    /pin sets\[0\]\.members\[0\]\.member: 1; expected a position below 1$/,
  ],
  ['an admission of a kind that is none', ADMISSION, [3], /services\[0\]\.admission: 3; expected 0 to 2$/],
  ['half a row of an admission', ADMISSION + 1, [8], /\.admission4: 8 bytes; expected a multiple of 7$/],
  ['neither allowed nor denied', ADMISSION + 10, [2], /\.admission: number 2; expected 0 or 1$/],
  ['a protocol without ports', FRONT + 1, [1], /fronts\[0\]\.protocol: 1; expected 0, 6 or 17$/],
  ['TCP port 0', FRONT + 2, [0, 0], /fronts\[0\]\.port: 0; expected 1 to 65535$/],
  ['a port for every protocol', FRONT + 1, [0], /fronts\[0\]\.port: 80; expected 0 to 0$/],
  [
    'a scope of 32 bits',
    FRONT + 6,
    [0, 0, 0, 128],
    /fronts\[0\]\.scope: 2147483648; expected 0 to 16777215$/,
  ],
]

for (const [what, at, bytes, message] of REFUSED)
  test(`refuses ${what}`, () => assert.match(refusal(at, ...bytes) ?? 'taken', message))

const [SERVICE_OF_SNAPSHOT] = SNAPSHOT.services

test('refuses a service id given twice', () => {
  const twice = { ...SNAPSHOT, services: [SERVICE_OF_SNAPSHOT!, SERVICE_OF_SNAPSHOT!] }
  assert.match(refusalOf(encodeSnapshot(twice)) ?? 'taken', /services\[1\]\.id: 1; expected each id once$/)
})

test('refuses a way in that another service has, and takes it when that one goes', () => {
  const other = { ...SERVICE_OF_SNAPSHOT!, id: 2 }
  const two = { ...SNAPSHOT, services: [SERVICE_OF_SNAPSHOT!, other] }
  assert.match(refusalOf(encodeSnapshot(two)) ?? 'taken', /a way in given twice; expected each address/)
  const engine = open()
  engine.publish(BYTES)
  const only = { ...SNAPSHOT, services: [other] }
  const services = [{ service: other, known: undefined }]
  engine.publish(encodeUpdate(only, { isWhole: false, gone: [1], services }))
  const packet = buildPacket({ source: hex('c6336407'), destination: hex('cb00710a'), protocol: 6 })
  assert.equal(engine.process(packet, 1, undefined).service, 2)
})

test('a service that changes otherwise keeps the tables that are not told again; one that has none cannot', () => {
  const engine = open()
  const changed = {
    isWhole: false,
    gone: [],
    services: [{ service: SERVICE_OF_SNAPSHOT!, known: SERVICE_OF_SNAPSHOT }],
  }
  const update = encodeUpdate(SNAPSHOT, changed)
  assert.match(refusalOf(update) ?? 'taken', /pins that are known; expected a service that had some$/)
  engine.publish(BYTES)
  engine.publish(update)
  const pinned = buildPacket({ source: hex('c6336407'), destination: hex('cb00710a'), protocol: 6 })
  assert.deepEqual(REASONS[engine.process(pinned, 1, undefined).code], ['forward', 'pinned'])
  const denied = buildPacket({ source: hex('c6336507'), destination: hex('cb00710a'), protocol: 6 })
  assert.deepEqual(REASONS[engine.process(denied, 1, undefined).code], ['drop', 'denied'])
})

test('refuses an update under another key, for it leaves rings as they are', () => {
  const engine = open()
  engine.publish(BYTES)
  const other = { ...SNAPSHOT, key: new Uint8Array(16) }
  const nothing = { isWhole: false, gone: [], services: [] }
  assert.throws(() => engine.publish(encodeUpdate(other, nothing)), /another key; expected a whole snapshot/)
})

test('refuses bytes after the end', () => {
  const longer = Uint8Array.from([...BYTES, 0])
  assert.match(refusalOf(longer) ?? 'taken', /^snapshot: end: 1 bytes left; expected none$/)
})

test('refuses every snapshot that is cut short', () => {
  for (let length = 0; length < BYTES.length; length++)
    assert.match(refusalOf(BYTES.slice(0, length)) ?? 'taken', /^snapshot: /)
})

test('refuses more ways in than can be listed', () => {
  const fronts = Array.from({ length: 4200 }, (_, i) => ({
    ...SNAPSHOT.services[0]!.fronts[0]!,
    port: i + 1,
  }))
  const members = new Array(4200).fill(SNAPSHOT.services[0]!.members[0])
  const large = { ...SNAPSHOT, services: [{ ...SNAPSHOT.services[0]!, fronts, members }] }
  assert.match(
    refusalOf(encodeSnapshot(large)) ?? 'taken',
    /17640000 fronts times members; expected at most 16777216$/,
  )
})

test('a snapshot with random bytes in it is refused or taken, and packets still get verdicts', () => {
  const random = Random.fromEnvironment()
  const packet = buildPacket({ source: hex('c6336407'), destination: hex('cb00710a'), protocol: 6 })
  const outcomes = { taken: 0, refused: 0 }
  for (let n = 0; n < 2000; n++) {
    const bytes = BYTES.slice()
    for (let flips = 1 + random.below(3); flips > 0; flips--) bytes[random.below(END)] = random.below(256)
    const engine = open()
    try {
      engine.publish(bytes)
    } catch {
      outcomes.refused++
      continue
    }
    outcomes.taken++
    engine.process(packet.slice(), 1, undefined)
    assert.equal(engine.counters().received.packets, 1, `ONEHOP_SEED=${random.seed}`)
  }
  assert.ok(outcomes.taken > 100 && outcomes.refused > 100, JSON.stringify(outcomes))
})

test('a refused snapshot leaves the one before in force', () => {
  const engine = open()
  engine.publish(BYTES)
  assert.throws(() => engine.publish(new Uint8Array(7)))
  const packet = buildPacket({ source: hex('c6336407'), destination: hex('cb00710a'), protocol: 6 })
  assert.equal(engine.process(packet, 1, undefined).container, 1)
})

test('encoding refuses what does not fit its field', () => {
  const [front] = SNAPSHOT.services[0]!.fronts
  const wide = {
    ...SNAPSHOT,
    services: [{ ...SNAPSHOT.services[0]!, fronts: [{ ...front!, port: 65_536 }] }],
  }
  assert.throws(() => encodeSnapshot(wide), /65536; expected a whole number from 0 to 65535/)
})

const hex = (text: string) => text as Snapshot['services'][number]['fronts'][number]['address']

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import { parseAddress } from '../../src/config/address.ts'
import { parseConfig } from '../../src/config/load.ts'
import { TCP } from '../../src/packet/tcp.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES, Services } from '../support/engines.ts'
import { buildPacket } from '../support/packets.ts'
import { Random } from '../support/random.ts'

/** What vectors do not show of the limits for new sources: floods, long times, reloads. */

const SERVICE = `
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: all
    containers: [{name: web-1, address: 10.77.0.11, address6: "fd77::11"}]
`
const PUBLIC4 = parseAddress('203.0.113.10')!
const PUBLIC6 = parseAddress('2001:db8:53::10')!

class Scene {
  readonly #engine
  readonly #services = new Services()
  now = 1_000

  constructor(create: (typeof ENGINES)[number][1], limits: string) {
    this.#engine = create({ capacity: 16, probation: 1 << 18, flows: 16, fragments: 16 })
    this.limit(limits)
  }

  limit(limits: string): void {
    this.#engine.publish(this.#services.compile(SERVICE, {}, `newSources: ${limits}`))
  }

  /** What becomes of a source's packet. */
  send(source: Address): string {
    const destination = source.length === 8 ? PUBLIC4 : PUBLIC6
    const packet = buildPacket({ source, destination, protocol: TCP.protocol })
    return REASONS[this.#engine.process(packet, this.now).code]![1]
  }

  limitOf = (source: Address) => this.#engine.limitOf(source, this.now)

  /** How many of so many new sources of a prefix are served. */
  served(prefix: string, from: number, count: number): number {
    const sources = Array.from({ length: count }, (_, i) => parseAddress(`${prefix}${from + i}`)!)
    return sources.filter((source) => this.send(source) === 'chosen').length
  }
}

for (const [name, create] of ENGINES)
  describe(name, () => {
    test('a burst is served at once, then so many a second, and no more for having waited long', () => {
      const scene = new Scene(create, '{perPrefix: 3, burst: 4s}')
      assert.equal(scene.served('198.51.100.', 0, 40), 12)
      scene.now++
      assert.equal(scene.served('198.51.100.', 40, 40), 3)
      scene.now += 2
      assert.equal(scene.served('198.51.100.', 80, 40), 6)
      // A bucket knows its second in 20 bits, some twelve days.
      for (const pause of [3_600, 7 * 86_400, 2 ** 20 - 100, 2 ** 20 + 5_000]) {
        scene.now += pause
        assert.equal(
          scene.served('198.51.100.', 120, 16) + scene.served('198.51.100.', 136, 16),
          12,
          `${pause}`,
        )
      }
    })

    test('whoever is told why is told the truth, and asking takes nothing', () => {
      const scene = new Scene(create, '{perSource: 1, perPrefix: 2, burst: 1s, prefix4: 28}')
      const [first, second, third] = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map(
        (text) => parseAddress(text)!,
      )
      for (let n = 0; n < 5; n++) assert.equal(scene.limitOf(first!), undefined)
      assert.equal(scene.send(first!), 'chosen')
      assert.equal(scene.limitOf(first!), 'source-limit')
      assert.equal(scene.send(first!), 'known')
      assert.equal(scene.send(second!), 'chosen')
      assert.equal(scene.limitOf(third!), 'prefix-limit')
      assert.equal(scene.send(third!), 'prefix-limit')
    })

    test('a flood of made-up sources keeps nobody out, nor does it make room for who takes most', () => {
      const scene = new Scene(create, '{perPrefix: 20, burst: 5s, prefix4: 32}')
      const random = new Random(7)
      const hog = parseAddress('2001:db8:bad::')!.slice(0, 12)
      let hogServed = 0
      let refused = 0
      for (let n = 0; n < 120_000; n++) {
        if (n % 20_000 === 19_999) scene.now++
        const made = (random.below(2 ** 32) >>> 0).toString(16).padStart(8, '0') as Address
        if (scene.limitOf(made) !== undefined) refused++
        scene.send(made)
        if (n % 40 === 0 && scene.send((hog + n.toString(16).padStart(20, '0')) as Address) === 'chosen')
          hogServed++
      }
      assert.equal(refused, 0)
      // 3,000 tries in six seconds: a burst of 100 and 20 a second, and what it regained while its bucket was young.
      assert.ok(hogServed >= 200 && hogServed <= 260, `${hogServed} of 3000`)
    })

    test('a reload changes what may come from then on, and what is known stays', () => {
      const scene = new Scene(create, '{perPrefix: 100, burst: 1s}')
      assert.equal(scene.served('198.51.100.', 0, 150), 100)
      scene.limit('{perPrefix: 2, burst: 1s}')
      assert.equal(scene.send(parseAddress('198.51.100.0')!), 'known')
      scene.now += 49
      assert.equal(scene.served('198.51.100.', 150, 50), 0)
      scene.now++
      assert.equal(scene.served('198.51.100.', 150, 50), 2)
    })
  })

const FAULTS: readonly (readonly [limits: string, message: RegExp])[] = [
  ['{perSource: 0}', /newSources\.perSource: 0; expected a whole number from 1 to 100000$/],
  ['{perPrefix: 100001}', /newSources\.perPrefix: 100001; expected a whole number from 1 to 100000$/],
  ['{perPrefix: 5, burst: 61s}', /newSources\.burst: "61s"; expected a time such as 10s, from 1s to 1m$/],
  [
    '{perPrefix: 5, burst: 1500ms}',
    /newSources\.burst: "1500ms"; expected a time such as 10s, from 1s to 1m$/,
  ],
  ['{perPrefix: 5, prefix4: 33}', /newSources\.prefix4: 33; expected a whole number from 1 to 32$/],
  ['{prefix6: 64}', /newSources: .*; expected perSource, perPrefix or both$/],
]

for (const [limits, message] of FAULTS)
  test(`refuses ${limits}`, () =>
    assert.throws(
      () =>
        parseConfig(
          `version: 1\ninterfaces: {bridges: [br0]}\nnewSources: ${limits}\nservices: []\n`,
          'c.yaml',
        ),
      ({ message: text }: Error) => text.split('\n').some((line) => message.test(line)),
    ))

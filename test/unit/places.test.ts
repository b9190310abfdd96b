import assert from 'node:assert/strict'
import test from 'node:test'
import type { Config, ServiceConfig } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { Places } from '../../src/config/places.ts'
import { difference } from '../../src/difference.ts'
import { Random } from '../support/random.ts'

/** What follows lists step by step must know what the last one alone says. */

const MODEL = parseConfig(
  'version: 1\ninterfaces: {bridges: [br0]}\nservices: [{name: a, addresses: [203.0.113.1], ports: all, containers: [{name: c, address: 10.0.0.1}]}]\n',
  'c.yaml',
).services[0]!

const STEPS = 2_000
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

function randomService(random: Random, name: string): ServiceConfig {
  const containers = NAMES.filter(() => random.oneIn(3)).map((own) => ({
    ...MODEL.containers[0]!,
    name: `${own}-1`,
  }))
  return { ...MODEL, name, containers }
}

/** Some services go, some come, some change their containers, something else or their place. */
function nextServices(before: Config['services'], random: Random): Config['services'] {
  const kept = before
    .filter(() => !random.oneIn(8))
    .map((service) =>
      random.oneIn(8)
        ? randomService(random, service.name)
        : random.oneIn(8)
          ? { ...service, empty: 'drop' as const }
          : service,
    )
  const absent = NAMES.filter((name) => !kept.some((service) => service.name === name))
  const come = absent.filter(() => random.oneIn(4)).map((name) => randomService(random, name))
  return random.oneIn(4) ? [...come, ...kept].reverse() : [...kept, ...come]
}

test('places are those of the list that was followed last', () => {
  const random = Random.fromEnvironment()
  const places = new Places()
  let services: Config['services'] = []
  for (let step = 0; step < STEPS; step++) {
    const before = services
    services = nextServices(services, random)
    const told = `step ${step}, ONEHOP_SEED=${random.seed}`
    const longest = Math.max(before.length, services.length)
    assert.deepEqual(
      places.follow(services),
      Array.from({ length: longest }, (_, i) => i).filter((i) => before[i] !== services[i]),
      told,
    )
    for (const name of NAMES) {
      const at = services.findIndex((service) => service.name === name)
      assert.equal(places.positionOf(name), at < 0 ? undefined : at, told)
      const container = `${name}-1`
      const having = services.filter(({ containers }) => containers.some((own) => own.name === container))
      assert.deepEqual(
        [...places.servicesOf(container)].sort(),
        having.map((service) => service.name).sort(),
        told,
      )
      assert.equal(places.has(container), having.length > 0, told)
    }
  }
})

test('what differs between two lists is what only one of them has, wherever it stands', () => {
  const random = Random.fromEnvironment()
  let before: Config['services'] = []
  for (let step = 0; step < STEPS; step++) {
    const now = nextServices(before, random)
    const { gone, come } = difference(before, now)
    const told = `step ${step}, ONEHOP_SEED=${random.seed}`
    assert.deepEqual(new Set(gone), new Set(before.filter((one) => !now.includes(one))), told)
    assert.deepEqual(new Set(come), new Set(now.filter((one) => !before.includes(one))), told)
    before = now
  }
})

/** See publish.ts. */
import type { Address } from '../../src/address.ts'
import { Compiler } from '../../src/compile.ts'
import type { Config, ServiceConfig } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Conditions } from '../../src/containers/conditions.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { ACK, buildPacket, exchanged, SYN } from '../support/packets.ts'
import { CONTAINERS, type PublishFigures, SERVICES, SOURCES } from './publish.ts'

const CHANGES = 500
const NOW = 1_000

const address = (first: number, n: number): Address => (first + n).toString(16).padStart(8, '0') as Address
const publicAddress = (service: number) => address(0xc612_0000, service)

/** As objects: how long a file of this size takes to read is another question. */
function makeConfig(): Config {
  const config = parseConfig(
    `version: 1
interfaces: {bridges: [br0]}
table: {capacity: ${SOURCES}}
services: [{name: model, addresses: [203.0.113.1], ports: [80/tcp->8080], containers: [{name: c, address: 10.0.0.1}]}]
`,
    'bench.yaml',
  )
  return {
    ...config,
    services: Array.from({ length: SERVICES }, (_, i) => makeService(config.services[0]!, i)),
  }
}

const makeService = (model: ServiceConfig, service: number): ServiceConfig => ({
  ...model,
  name: `service-${service}`,
  addresses: [publicAddress(service)],
  containers: Array.from({ length: CONTAINERS }, (_, i) => ({
    ...model.containers[0]!,
    name: `service-${service}-${i}`,
    address: address(0x0a00_0001, service * CONTAINERS + i),
  })),
})

/** Every source through a handshake, so that the table holds them all. */
function fill(engine: Engine): void {
  const packetOf = (flags: number) =>
    buildPacket({ source: address(0, 0), destination: address(0, 0), protocol: 6, flags, acknowledgment: 2 })
  const [syn, ack] = [packetOf(SYN), packetOf(ACK)]
  for (let n = 0; n < SOURCES; n++) {
    for (const packet of [syn, ack]) {
      const view = new DataView(packet.buffer, packet.byteOffset)
      view.setUint32(12, 0xac10_0000 + n)
      view.setUint32(16, 0xc612_0000 + (n % SERVICES))
    }
    const answer = exchanged(engine.process(syn.slice(), NOW).output!)
    answer[33] = SYN | ACK
    engine.process(answer, NOW)
    engine.process(ack.slice(), NOW)
  }
  const { entries } = engine.counters().table
  if (entries !== SOURCES) throw new Error(`${entries} of ${SOURCES} sources are in the table`)
}

function main(): PublishFigures {
  const compiler = new Compiler(new Identities(), new Uint8Array(16))
  const config = makeConfig()
  const engine = createNativeEngine(config.table)
  const publish = (conditions: Conditions) => {
    const start = performance.now()
    engine.publish(compiler.compile(config, conditions))
    return performance.now() - start
  }
  const firstMs = publish(new Map())
  fill(engine)
  const changes = Array.from({ length: CHANGES }, (_, i) => publish(downAfter(i)))
  globalThis.gc!()
  return { changes, firstMs, residentMegabytes: process.memoryUsage().rss / 1e6 }
}

/** One container at a time turns: down at even changes, up again at odd ones. */
const downAfter = (change: number): Conditions =>
  change % 2 === 1
    ? new Map()
    : new Map([[`service-${(change * 7919) % SERVICES}-3`, { state: 'down', weight: undefined }]])

process.stdout.write(JSON.stringify(main()))

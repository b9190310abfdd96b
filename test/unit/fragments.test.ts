import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Engine, Outcome } from '../../src/dataplane/dataplane.ts'
import type { ContainerState } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES, Services } from '../support/engines.ts'
import { fragmentsOf } from '../support/fragments.ts'
import { buildPacket, type PacketFields } from '../support/packets.ts'

/** What no capture can show: fragments while the services change, or the clock does. test/vectors has the rest. */

const UDP = 17
const DATAGRAM: PacketFields = {
  source: 'c6336407' as Address, // 198.51.100.7
  destination: 'cb00710a' as Address, // 203.0.113.10
  protocol: UDP,
  destinationPort: 53,
  payload: new Uint8Array(64),
}

const DNS = `
  - name: dns
    addresses: [203.0.113.10]
    ports: [53/udp->5353]
    containers: [{name: one, address: 10.77.0.11}, {name: two, address: 10.77.0.12}]
`
const SYSLOG = `
  - name: syslog
    addresses: [203.0.113.10]
    ports: [514/udp]
    containers: [{name: three, address: 10.77.0.13}]
`

class Scene {
  readonly #engine: Engine
  readonly #services = new Services()
  now = 1_000

  constructor(create: (typeof ENGINES)[number][1]) {
    this.#engine = create({ capacity: 16, probation: 16, flows: 16, fragments: 16 })
    this.publish(DNS + SYSLOG)
  }

  publish(yaml: string, states: Readonly<Record<string, ContainerState>> = {}): void {
    this.#engine.publish(this.#services.compile(yaml, states))
  }

  send(packet: Uint8Array): { verdict: string; container: string | undefined; to: string | undefined } {
    const { code, container, output }: Outcome = this.#engine.process(packet.slice(), this.now)
    return {
      verdict: REASONS[code]!.join(' '),
      container: this.#services.identities.containerName(container),
      to: output && Buffer.from(output.subarray(16, 20)).toString('hex'),
    }
  }
}

const [FIRST, LATER] = fragmentsOf(buildPacket(DATAGRAM), 32, 7) as [Uint8Array, Uint8Array, Uint8Array]

for (const [name, create] of ENGINES)
  describe(`the ${name} engine`, () => {
    test('sends a later fragment after its first when the container has gone meanwhile, and no other packet', () => {
      const scene = new Scene(create)
      const { container, to } = scene.send(FIRST)
      scene.publish(DNS + SYSLOG, { [container!]: 'down' })
      assert.deepEqual(scene.send(LATER), { verdict: 'forward fragment', container, to })
      assert.notEqual(scene.send(buildPacket(DATAGRAM)).container, container)
    })

    test('sends it there when the service has gone, too', () => {
      const scene = new Scene(create)
      const { container, to } = scene.send(FIRST)
      scene.publish(SYSLOG)
      assert.deepEqual(scene.send(LATER), { verdict: 'forward fragment', container, to })
      assert.equal(scene.send(FIRST).verdict, 'drop port-closed')
      assert.equal(scene.send(LATER).verdict, 'drop fragment')
    })

    test('remembers a first fragment when the clock steps back', () => {
      const scene = new Scene(create)
      scene.send(FIRST)
      scene.now -= 100
      assert.equal(scene.send(LATER).verdict, 'forward fragment')
    })

    test('takes no packet to port 0 for a fragment without ports', () => {
      const scene = new Scene(create)
      scene.publish(DNS)
      assert.equal(scene.send(LATER).verdict, 'forward chosen')
      assert.equal(scene.send(buildPacket({ ...DATAGRAM, destinationPort: 0 })).verdict, 'answer port-closed')
      const answer = {
        source: '0a4d000b' as Address,
        destination: DATAGRAM.source,
        protocol: UDP,
        sourcePort: 0,
      }
      assert.equal(scene.send(buildPacket(answer)).verdict, 'pass not-ours')
    })
  })

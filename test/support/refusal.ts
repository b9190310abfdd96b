import type { Address } from '../../src/address.ts'
import type { SelfCheck } from '../../src/api/drops.ts'
import type { Refusal } from '../../src/dataplane/dataplane.ts'
import { DropReport } from '../../src/drops/drops.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { buildPacket } from './packets.ts'

/** What a data plane says of a reason, such as `drop fragment`; the packet goes from 198.51.100.7 to 203.0.113.10:81. */
export const exampleRefusal = (words: string, packets: number): Refusal => ({
  code: REASONS.findIndex((pair) => pair.join(' ') === words),
  packets,
  bytes: packets * 40,
  atMs: 5_000,
  service: 7,
  direction: 'request',
  isPartial: false,
  length: 40,
  beginning: buildPacket({
    source: 'c6336407' as Address,
    destination: 'cb00710a' as Address,
    protocol: 6,
    destinationPort: 81,
  }),
})

/** Of a data plane whose counts the test turns. Its clock was 0 when 2026 began. */
export const reportOf = (
  refusals: () => readonly Refusal[],
  selfCheck: SelfCheck = { every: 0, checked: 0, wrong: 0 },
): DropReport =>
  new DropReport({
    dataPlane: { refusals },
    identities: { serviceName: (id) => `service-${id}` },
    tun: () => 'onehop0',
    selfCheck: { read: () => selfCheck },
    zeroMs: () => Date.UTC(2026, 0, 1),
  })

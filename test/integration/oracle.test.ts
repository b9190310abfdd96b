/**
 * The kernel as oracle of the whole daemon: the same packets go through its NAT and through a running onehop, with a TUN
 * and a bridge between them and the engine, and must leave both the same, times to live and identifications too.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { readCapture } from '../../src/packet/capture.ts'
import type { Namespace } from '../support/lab/namespace.ts'
import { withLab } from '../support/lab.ts'
import { askKernel, seed, sendThrough } from '../support/oracle.ts'
import { describeDifference } from '../support/packet-diff.ts'

const FLOWS = 2000

/** The far ends' kernels know nothing of the connections that are made up, and must not answer. */
const SILENCE = `
nft -f - <<END
table inet silence {
  chain prerouting {
    type filter hook prerouting priority raw
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname eth0 drop
  }
}
END`
const silence = (namespace: Namespace): Promise<string> => namespace.script(SILENCE)

/** The case's second container is in the namespace of the first. */
const SECOND = 'ip addr add 10.77.0.12/16 dev eth0; ip addr add fd77::12/64 dev eth0'

test(`a running daemon rewrites as the kernel's NAT does (seed ${seed})`, () =>
  withLab({ containers: 1 }, async (lab) => {
    const [folder, out] = [lab.path('case'), lab.path('out.pcap')]
    const { namespace } = lab.containers[0]!
    const packets = await askKernel(folder, FLOWS)
    await namespace.script(SECOND)
    await Promise.all([lab.client, namespace].map(silence))
    const daemon = await lab.startDaemon({ config: readFileSync(join(folder, 'config.yaml'), 'utf8') })
    await sendThrough(folder, out, [lab.client.pid, lab.host.pid, namespace.pid])
    const [actual, expected] = [packetsOf(out), packetsOf(join(folder, 'out.pcap'))]
    const differences = expected.flatMap((packet, i) =>
      describeDifference(actual[i]!, packet).map((line) => `packet ${i + 1}: ${line}`),
    )
    assert.deepEqual([actual.length, expected.length], [packets, packets])
    assert.equal(differences.slice(0, 20).join('\n'), '', `${differences.length} differences`)
    await daemon.stop()
  }))

const packetsOf = (file: string): readonly Uint8Array[] =>
  Array.from(readCapture([readFileSync(file)]), ({ packet }) => packet!.slice())

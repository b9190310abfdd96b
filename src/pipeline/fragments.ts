import { IPV4 } from '../packet/ipv4.ts'
import { IPV6 } from '../packet/ipv6.ts'
import { type Packet, readAddress } from '../packet/packet.ts'
import { codeOf, type Outcome, wholePacket } from './outcome.ts'
import type { PipelineState } from './pipeline.ts'
import { rewriteEnd, type Side } from './rewrite.ts'
import { REASONS } from './verdict.ts'

/**
 * Fragments are forwarded one by one. Only the first has ports; those that come later share its fate, whatever has changed in
 * the table meanwhile. One that comes before its first, or when that is forgotten, goes where it has to go whatever its
 * port; where that is more than one place it is dropped.
 */

/** What becomes of a later fragment whose first is remembered. */
export function followFirst(packet: Packet, state: PipelineState): Outcome | undefined {
  const fate = state.fragments.lookup(packet, state.now)
  if (fate === undefined) return undefined
  const [verdict] = REASONS[fate.code]!
  const { service, container, client: source } = fate
  if (verdict === 'drop' || verdict === 'answer')
    return { code: codeOf('drop', 'fragment'), service, container, output: undefined, source }
  for (const side of ['source', 'destination'] as const)
    if (fate[side] !== packet[side]) rewriteEnd(packet, side, fate[side], 0, false)
  const code = verdict === 'pass' ? fate.code : codeOf(verdict, 'fragment')
  return { code, service, container, output: wholePacket(packet), source }
}

/** A first fragment has left with what is now in its bytes, or was dropped. */
export function rememberFirst(packet: Packet, outcome: Outcome, state: PipelineState): void {
  const { code, service, container, source: client } = outcome
  const [source, destination] = [endOf(packet, 'source'), endOf(packet, 'destination')]
  state.fragments.remember(
    packet,
    { code, service, container, client: client!, source, destination },
    state.now,
  )
}

const endOf = ({ bytes, version }: Packet, side: Side) =>
  version === 4 ? readAddress(bytes, IPV4[side], 4) : readAddress(bytes, IPV6[side], 16)

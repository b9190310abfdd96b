import { type Address, formatSource } from '../address.ts'
import type { ServiceConfig } from '../config/config.ts'
import type { Evidence } from '../pipeline/evidence.ts'
import type { SnapshotService } from '../pipeline/snapshot.ts'
import { ALLOWED } from '../prefix-table.ts'
import type { AdmissionExplanation, PinExplanation } from './explanation.ts'
import type { Situation } from './situation.ts'

/** Undefined where everybody is let in. */
export function explainAdmission(
  { admission }: SnapshotService,
  source: Address,
): AdmissionExplanation | undefined {
  if (admission === undefined) return undefined
  for (const { length, number } of admission.table.covering(source))
    return { prefix: formatSource(source, length), isAllowed: number === ALLOWED }
  return { isAllowed: admission.isOpen }
}

/** All pins that cover a source, longest first; the evidence tells how far down the decision looked. */
export function explainPins(
  service: SnapshotService,
  source: Address,
  { pins: looked }: Evidence,
  config: ServiceConfig,
  { identities, isOperatorPin }: Situation,
): readonly PinExplanation[] {
  return [...service.pins.table.covering(source)].map(({ length, number }, i) => {
    const text = formatSource(source, length)
    const seen = looked[i]
    return {
      source: text,
      containers: service.pins.sets[number]!.map((id) => identities.containerName(id) ?? ''),
      by: isOperatorPin(service.name, text) ? 'operator' : isWritten(text, config) ? 'config' : 'file',
      result: seen === undefined ? 'shorter' : seen.member === undefined ? 'cannot' : 'decides',
    }
  })
}

const isWritten = (text: string, { pins }: ServiceConfig): boolean =>
  pins.some(({ source: { address, length } }) => formatSource(address, length) === text)

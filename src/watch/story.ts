import { getSystemErrorName } from 'node:util'
import { summarizePacket } from '../packet/summary.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { Reason, Verdict } from '../pipeline/verdict.ts'
import type { Sighting } from './sighting.ts'

export type Names = Pick<Identities, 'serviceName' | 'containerName'>

/** What happened to a packet, in words: a line of `onehop trace --json`. */
export interface Story {
  /** When it was read: Unix time in seconds, to the microsecond. */
  readonly time: string
  readonly verdict: Verdict
  readonly reason: Reason
  readonly service?: string
  readonly container?: string
  /** A line about the packet as it arrived, and about what left. */
  readonly arrived: string
  readonly departed?: string
  /** Where it was written to, and how many microseconds after it was read it was decided and written. */
  readonly left: 'nowhere' | 'bridge' | 'tun'
  readonly decidedUs: number
  readonly writtenUs?: number
  /** The write failed: errno. */
  readonly error?: string
  /** Packets not told of since the one before. */
  readonly lost?: number
}

export function tellStory(sighting: Sighting, names: Names): Story {
  const { arrived, departed, left, error, lost } = sighting
  return {
    time: secondsOf(sighting.readNs),
    verdict: sighting.verdict,
    reason: sighting.reason,
    ...namesOf(sighting, names),
    arrived: summarizePacket(arrived.bytes, arrived.length),
    ...(departed && { departed: summarizePacket(departed.bytes, departed.length) }),
    left,
    decidedUs: sighting.decidedNs / 1000,
    ...(left !== 'nowhere' && { writtenUs: sighting.writtenNs / 1000 }),
    ...(error !== 0 && { error: getSystemErrorName(-error) }),
    ...(lost > 0 && { lost }),
  }
}

function secondsOf(nanoseconds: bigint): string {
  const microseconds = nanoseconds / 1000n
  return `${microseconds / 1_000_000n}.${String(microseconds % 1_000_000n).padStart(6, '0')}`
}

function namesOf({ service, container }: Sighting, names: Names) {
  const [serviceName, containerName] = [names.serviceName(service), names.containerName(container)]
  return {
    ...(serviceName !== undefined && { service: serviceName }),
    ...(containerName !== undefined && { container: containerName }),
  }
}

/** The same in a line for a capture's comment. */
export function commentOf(sighting: Sighting, names: Names): string {
  const story = tellStory(sighting, names)
  const where = story.left === 'nowhere' ? [] : [`written to the ${story.left} after ${story.writtenUs} µs`]
  const isPartial = sighting.arrived.isPartial || sighting.departed?.isPartial === true
  return [
    `${story.verdict} ${story.reason}`,
    ...(story.service === undefined ? [] : [`service ${story.service}`]),
    ...(story.container === undefined ? [] : [`container ${story.container}`]),
    `decided after ${story.decidedUs} µs`,
    ...where,
    ...(story.error === undefined ? [] : [`the write failed: ${story.error}`]),
    ...(isPartial ? ['checksum left to the device'] : []),
    ...(sighting.segment > 0 ? [`to be cut into ${sighting.segment} bytes each`] : []),
  ].join(', ')
}

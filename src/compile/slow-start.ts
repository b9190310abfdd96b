import type { ServiceConfig } from '../config/config.ts'
import type { Conditions } from '../containers/conditions.ts'
import type { SnapshotService } from '../pipeline/snapshot.ts'
import { STEPS } from './shares.ts'

/** Since when those of a service's containers that still start slowly have been ready, in milliseconds; by name. */
export type Starts = ReadonlyMap<string, number>

interface Earlier {
  readonly service: SnapshotService
  readonly starts: Starts
}

/**
 * Who is ready and was not, or was not there, starts slowly. Of a service that is new itself nobody does: beside whom
 * should they be slow.
 */
export function startsOf(
  { containers, slowStartMs }: ServiceConfig,
  conditions: Conditions,
  earlier: Earlier | undefined,
  nowMs: number,
): Starts {
  if (slowStartMs === undefined || earlier === undefined) return NONE
  const wasReady = new Set(
    earlier.service.members.flatMap(({ container }) => (container.state === 'ready' ? [container.name] : [])),
  )
  return new Map(
    containers
      .filter(({ name }) => (conditions.get(name)?.state ?? 'ready') === 'ready')
      .map(({ name }) => [name, wasReady.has(name) ? earlier.starts.get(name) : nowMs] as const)
      .filter((start): start is [string, number] => start[1] !== undefined && nowMs - start[1] < slowStartMs),
  )
}

const NONE: Starts = new Map()

/** From 0 to STEPS: how many steps of its slow start a container has done. */
export function stepsDone(
  name: string,
  starts: Starts,
  slowStartMs: number | undefined,
  nowMs: number,
): number {
  const start = starts.get(name)
  return start === undefined || slowStartMs === undefined ? STEPS : stepsSince(start, slowStartMs, nowMs)
}

/** When the next of them gets a larger share; undefined when none will. */
export function nextStepMs(
  starts: Starts,
  slowStartMs: number | undefined,
  nowMs: number,
): number | undefined {
  if (starts.size === 0 || slowStartMs === undefined) return undefined
  const stepMs = slowStartMs / STEPS
  return Math.min(
    ...Array.from(starts.values(), (start) => start + (stepsSince(start, slowStartMs, nowMs) + 1) * stepMs),
  )
}

const stepsSince = (start: number, slowStartMs: number, nowMs: number): number =>
  Math.floor((nowMs - start) / (slowStartMs / STEPS))

import { encodeSnapshot } from '../../../src/dataplane/encode.ts'
import type { ContainerState } from '../../../src/pipeline/snapshot.ts'
import { snapshotsOf, WORLDS, type World } from '../worlds.ts'

/** So small that a handful of packets fills them. */
const SIZES = [5, 8, 8, 8]

/**
 * The file native/fuzz/worlds.cc reads: how many worlds; for each its four sizes, how many snapshots, and each one's
 * length and bytes. An input names its world by position: new ones go to the end of WORLDS.
 */
export const encodeWorlds = (): Uint8Array =>
  Buffer.concat([number(FUZZED.length), ...FUZZED.flatMap(encodeWorld)])

/** All snapshots of all worlds. */
export const encodedSnapshots = (): readonly Uint8Array[] => FUZZED.flatMap(snapshotsIn)

/** Little room is in each of them, by SIZES: of a config that stands twice in WORLDS, once is enough. */
const FUZZED = [...new Map(WORLDS.map((world) => [world.name.split(',')[0], world])).values()]
export const WORLDS_FUZZED = FUZZED.length

function snapshotsIn(world: World): readonly Uint8Array[] {
  const snapshotOf = snapshotsOf(world)
  return STATES.map((stateOf) => encodeSnapshot(snapshotOf(stateOf)))
}

function encodeWorld(world: World): readonly Uint8Array[] {
  const snapshots = snapshotsIn(world)
  return [
    ...SIZES.map(number),
    number(snapshots.length),
    ...snapshots.flatMap((bytes) => [number(bytes.length), bytes]),
  ]
}

/** All ready; some gone, some going; none left. */
const STATES: readonly ((container: string) => ContainerState)[] = [
  () => 'ready',
  (container) => (isEven(container) ? 'down' : 'ready'),
  (container) => (isEven(container) ? 'ready' : 'down'),
  (container) => (isEven(container) ? 'ready' : 'draining'),
  () => 'down',
]
const isEven = (name: string): boolean => name.charCodeAt(name.length - 1) % 2 === 0

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

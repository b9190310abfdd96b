import type { PinConfig, PinFile } from '../config/config.ts'
import { PrefixTable } from '../prefix-table.ts'

/** A service's pins, packed; its numbers are positions in `sets`, containers by name. */
export interface PackedPins {
  readonly table: PrefixTable
  readonly sets: readonly (readonly string[])[]
  /** What they were made from. */
  readonly list: readonly PinConfig[]
  readonly file: PinFile | undefined
}

/** `before` when it was made from the same. The list's pins take the place of the file's for the same source. */
export function packPins(
  list: readonly PinConfig[],
  file: PinFile | undefined,
  before: PackedPins | undefined,
): PackedPins {
  if (before !== undefined && before.file === file && isSameList(before.list, list)) return before
  if (list.length === 0 && file !== undefined) return { table: file.table, sets: file.sets, list, file }
  const sets = new Map<string, number>()
  const numberOf = (containers: readonly string[]): number => {
    const name = containers.join(' ')
    const number = sets.get(name) ?? sets.size
    sets.set(name, number)
    return number
  }
  const table = new PrefixTable()
  for (const { source, containers } of list) table.add(source, numberOf(containers))
  if (file !== undefined) table.addAll(file.table, (number) => numberOf(file.sets[number]!))
  return { table, sets: Array.from(sets.keys(), (name) => name.split(' ')), list, file }
}

/** One that nobody changed may still be another object. */
const isSameList = (a: readonly PinConfig[], b: readonly PinConfig[]): boolean =>
  a === b ||
  (a.length === b.length &&
    a.every(
      ({ source, containers }, i) =>
        source.address === b[i]!.source.address &&
        source.length === b[i]!.source.length &&
        containers.join(' ') === b[i]!.containers.join(' '),
    ))

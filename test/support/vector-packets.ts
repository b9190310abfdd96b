import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCapture } from '../../src/packet/capture.ts'

const VECTORS = join(import.meta.dirname, '..', 'vectors')

/** What the vectors send, by vector. */
export const packetsByVector = (): ReadonlyMap<string, readonly Uint8Array[]> => {
  byVector ??= new Map(foldersIn(VECTORS).map((vector) => [vector, packetsOf(vector)]))
  return byVector
}

/** The same in one list. */
export const vectorPackets = (): readonly Uint8Array[] => {
  all ??= [...packetsByVector().values()].flat()
  return all
}

let byVector: ReadonlyMap<string, readonly Uint8Array[]> | undefined
let all: readonly Uint8Array[] | undefined

const packetsOf = (vector: string): readonly Uint8Array[] =>
  Array.from(readCapture([readFileSync(join(VECTORS, vector, 'in.pcap'))]), ({ packet }) =>
    packet?.slice(),
  ).filter((packet) => packet !== undefined)

const foldersIn = (path: string): readonly string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

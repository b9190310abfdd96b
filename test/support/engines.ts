import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Engine, TableSizes } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { createReferenceEngine } from '../../src/dataplane/reference.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import type { ContainerState, Snapshot } from '../../src/pipeline/snapshot.ts'
import { entriesIn } from '../../src/table/rows.ts'

/** Both implementations of the pipeline: a suite over them runs once for each. */
export const ENGINES: readonly (readonly [name: string, create: (sizes: TableSizes) => Engine])[] = [
  ['reference', createReferenceEngine],
  ['native', createNativeEngine],
]

/** All entries of an engine's table. */
export function* entriesOf(engine: Engine) {
  let cursor = 0
  do {
    const { next, rows } = engine.rows(cursor, 4096)
    yield* entriesIn(rows)
    cursor = next
  } while (cursor !== 0)
}

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i)

/** The services of a config, compiled under ids that stay the same from one call to the next. */
export class Services {
  readonly identities = new Identities()

  /** `yaml` is the list under `services:`; `frame` what stands beside it. */
  compile(yaml: string, states: Readonly<Record<string, ContainerState>> = {}, frame = ''): Snapshot {
    const config = parseConfig(
      `version: 1\ninterfaces: {bridges: [br0]}\n${frame}\nservices:\n${yaml}`,
      'test.yaml',
    )
    const key = config.key === undefined ? KEY : Buffer.from(config.key, 'hex')
    const conditions = Object.entries(states).map(
      ([name, state]) => [name, { state, weight: undefined }] as const,
    )
    return compileSnapshot(config, this.identities, key, new Map(conditions))
  }
}

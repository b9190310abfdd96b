import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { TableOperator } from '../../src/entries/operator.ts'
import { Pins } from '../../src/pins.ts'
import { Identities } from '../../src/pipeline/identities.ts'

/** A table as a daemon has it, with its operator; `zeroMs` is when its clock was 0, and it is 1,000 now. */
export class Operated {
  readonly identities = new Identities()
  readonly table: Engine
  readonly pins: Pins
  readonly operator: TableOperator
  published = 0

  constructor(
    yaml: string,
    {
      capacity = 1_000,
      pinsPath = undefined as string | undefined,
      zeroMs = 0,
      create = createNativeEngine,
    } = {},
  ) {
    const config = parseConfig(yaml, 'c.yaml')
    this.table = create({ capacity, probation: 64, flows: 64, fragments: 64 })
    this.pins = new Pins(pinsPath)
    const merged = () => this.pins.applied(config)
    const publish = () => {
      this.published++
      this.table.publish(compileSnapshot(merged(), this.identities, new Uint8Array(16)))
    }
    const clock = { nowSeconds: () => 1_000, zeroMs: () => zeroMs }
    const { table, identities, pins } = this
    this.operator = new TableOperator({
      table,
      identities,
      pins,
      clock,
      config: merged,
      publish,
      tell: () => {},
    })
    publish()
  }
}

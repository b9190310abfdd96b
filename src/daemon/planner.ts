import { setImmediate as breathe } from 'node:timers/promises'
import type { Prefix } from '../address.ts'
import type { Compiler } from '../compile.ts'
import type { Config } from '../config/config.ts'
import type { Conditions } from '../containers/conditions.ts'
import type { DataPlane } from '../dataplane/dataplane.ts'
import { OnehopError } from '../errors.ts'
import type { Pins } from '../pins.ts'
import { Identities } from '../pipeline/identities.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import { makePlan } from '../plan/make.ts'
import type { Plan } from '../plan/plan.ts'
import { type Supposition, suppose } from '../plan/suppose.ts'
import { nowSeconds, zeroMs } from './clock.ts'
import { refuseFixed } from './fixed.ts'

export interface PlannerParts {
  readonly dataPlane: DataPlane
  readonly identities: Identities
  readonly compiler: Compiler
  readonly pins: Pins
  /** As it was written. */
  readonly base: () => Config
  readonly config: () => Config
  readonly conditions: () => Conditions
  readonly sources: () => readonly Prefix[]
  /** What a config would be with what is discovered now, how its containers would stand, and sources that nobody listens to. */
  readonly preview: (config: Config) => Preview
}

export interface Preview {
  readonly config: Config
  readonly conditions: Conditions
  readonly unheard: readonly string[]
}

/** How often a plan is made anew because what it was made from has changed meanwhile. */
const MOST_ATTEMPTS = 5

/** Plans by the snapshot in force and the data plane's own table. */
export class Planner {
  readonly #parts: PlannerParts
  #snapshot: Snapshot | undefined

  constructor(parts: PlannerParts) {
    this.#parts = parts
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot
  }

  /** What would become of clients with another config. Throws E_CONFIG for one that needs a restart. */
  async plan(next: Config, top: number): Promise<Plan> {
    refuseFixed(this.#parts.base(), next)
    const { config, conditions, unheard } = this.#parts.preview(next)
    const notes = unheard.map(
      (source) => `${source}: not asked before it is applied; its containers are not in this plan`,
    )
    return await this.#make(config, conditions, top, notes)
  }

  /** One that was still true when it was done. Throws E_DAEMON when there is none. */
  async planThatHolds(next: Config, top: number): Promise<Plan> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const snapshot = this.#snapshot
      const plan = await this.plan(next, top)
      if (snapshot === this.#snapshot) return plan
    }
    throw new OnehopError(
      'E_DAEMON',
      'containers change faster than a plan can be made; expected a quieter moment. Nothing was applied',
    )
  }

  async whatIf(supposition: Supposition, top: number): Promise<Plan> {
    const { config, conditions } = this.#parts
    const supposed = suppose(config(), conditions(), supposition)
    return await this.#make(supposed.config, supposed.conditions, top, [])
  }

  #make(config: Config, conditions: Conditions, top: number, notes: readonly string[]): Promise<Plan> {
    const { dataPlane, compiler, pins, sources } = this.#parts
    const identities = new Identities(this.#parts.identities)
    const after = compiler
      .fork(identities)
      .compile(pins.applied(config), conditions, performance.now(), sources())
    return makePlan(
      {
        before: { config: this.#parts.config(), snapshot: this.#snapshot! },
        after: { config, snapshot: after },
        ...{ engine: dataPlane, identities, clock: { nowSeconds, zeroMs }, top, notes },
      },
      breathe,
    )
  }
}

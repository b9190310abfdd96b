import type { Leg } from './leg.ts'
import { haproxyLeg } from './legs/haproxy.ts'
import { fastPathLeg, onehopLeg, onehopVariants } from './legs/onehop.ts'
import { routingLeg } from './legs/routing.ts'
import { wireLeg } from './legs/wire.ts'

/** In the order of the report's rows. */
export const DEFAULT_LEGS: readonly Leg[] = [wireLeg, fastPathLeg, routingLeg, haproxyLeg, onehopLeg]

export const LEGS: readonly Leg[] = [...DEFAULT_LEGS, ...onehopVariants]

import type { Leg } from './leg.ts'
import { haproxyLeg } from './legs/haproxy.ts'
import { onehopLeg, onehopVariants } from './legs/onehop.ts'
import { routingLeg } from './legs/routing.ts'

/** In the order of the report's rows. */
export const DEFAULT_LEGS: readonly Leg[] = [routingLeg, haproxyLeg, onehopLeg]

export const LEGS: readonly Leg[] = [...DEFAULT_LEGS, ...onehopVariants]

import type { NewSourcesConfig } from '../config.ts'
import { integer, mapping } from '../values.ts'
import { SECOND_US, time } from './times.ts'

const MOST_PER_SECOND = 100_000
const EITHER = 'perSource, perPrefix or both'
const BURST = 'a time such as 10s, from 1s to 1m'

/** What the engines keep of a burst fits 24 bits. */
const burst = time(BURST, SECOND_US, 60 * SECOND_US, SECOND_US).refine(Number.isInteger, BURST)

export const newSources = mapping({
  perSource: integer(1, MOST_PER_SECOND).optional(),
  perPrefix: integer(1, MOST_PER_SECOND).optional(),
  burst: burst.prefault('10s'),
  prefix4: integer(1, 32).default(24),
  prefix6: integer(1, 128).default(48),
})
  .refine(({ perSource, perPrefix }) => perSource !== undefined || perPrefix !== undefined, EITHER)
  .transform(
    ({ perSource, perPrefix, burst: burstSeconds, ...lengths }): NewSourcesConfig => ({
      ...{ perSource, perPrefix, burstSeconds },
      ...lengths,
    }),
  )

import { CONFIG_DEFAULTS } from '../defaults.ts'
import { integer, mapping } from '../values.ts'

export const MOST_ENTRIES = 2 ** 27

export const table = mapping({
  capacity: integer(1, MOST_ENTRIES).default(CONFIG_DEFAULTS.capacity),
  probation: integer(1, 2 ** 24).default(CONFIG_DEFAULTS.probation),
  flows: integer(1, 2 ** 24).default(CONFIG_DEFAULTS.flows),
  fragments: integer(1, 2 ** 24).default(CONFIG_DEFAULTS.fragments),
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openApi } from '../src/api/routes.ts'

/** Writes src/api/openapi.json anew; a test holds it against what is served. */
const file = join(import.meta.dirname, '..', 'src', 'api', 'openapi.json')
writeFileSync(file, JSON.stringify(openApi(), null, 2))

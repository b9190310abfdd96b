import type { z } from 'zod'
import { OnehopError } from '../errors.ts'

/** A request's body as its schema has it. Throws E_USAGE with every message of the schema's. */
export function readBody<Body>(schema: z.ZodType<Body>, body: unknown): Body {
  const read = schema.safeParse(body)
  if (read.success) return read.data
  throw new OnehopError('E_USAGE', read.error.issues.map(({ message }) => message).join('; '))
}

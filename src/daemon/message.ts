import { OnehopError } from '../errors.ts'

/** What the log says of an error: of ours its message, of a defect its stack. */
export const messageOf = (error: unknown): string => {
  if (error instanceof OnehopError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/**
 * What went wrong, for whom. A packet never throws: it gets a verdict. These errors are for people: the
 * code is stable, the message says the value, where it stands and what was expected.
 */
export type ErrorCode =
  | 'E_CONFIG' // the config or a flag is wrong
  | 'E_USAGE' // a command was called wrongly
  | 'E_SYSTEM' // a system call or a system command failed
  | 'E_NETWORK' // an interface, route or address stands in the way
  | 'E_DAEMON' // no daemon answers, or it refuses
  | 'E_INPUT' // a file given to a command cannot be read as what it should be

/** What a process exits with, for help, manual and README. */
export const EXIT_STATUSES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'done'],
  [
    1,
    'failed, or found what doctor, routes show and replay --vs look for, or more clients to move than --max-moved',
  ],
  [2, 'wrong command line or config'],
  [70, "a defect of onehop's own"],
  [129, 'ended by SIGHUP: the terminal of top is gone'],
  [130, 'ended by SIGINT'],
  [143, 'ended by SIGTERM'],
]

export const formatExitStatuses = (): string =>
  `Exit codes: ${EXIT_STATUSES.map(([code, meaning]) => `${code} ${meaning}`).join('; ')}.`

/** Process exit codes. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  E_CONFIG: 2,
  E_USAGE: 2,
  E_SYSTEM: 1,
  E_NETWORK: 1,
  E_DAEMON: 1,
  E_INPUT: 1,
}

export class OnehopError extends Error {
  override readonly name = 'OnehopError'

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** What a log or a terminal says of an error: of ours its message, of a defect its stack. */
export const messageOf = (error: unknown): string => {
  if (error instanceof OnehopError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

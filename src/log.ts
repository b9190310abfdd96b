import { isatty } from 'node:tty'
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import { areColoursWanted } from './colours.ts'

const STDOUT = 1

/** A reader of the log that does not read costs this much memory, then lines; never the daemon's time. */
const MOST_WAITING_BYTES = 1 << 20

/** JSON lines on stdout for machines; lines with colours when stdout is a terminal. */
export function openLog(level: string, env: Readonly<Record<string, string | undefined>>): Logger {
  if (isatty(STDOUT))
    return pino(
      { level },
      pretty({ colorize: areColoursWanted(env, true), ignore: 'pid,hostname', sync: true }),
    )
  // Its flush waits for nothing where minLength is 0.
  const buffered = { minLength: 1, maxLength: MOST_WAITING_BYTES }
  const destination = pino.destination({ dest: STDOUT, sync: false, ...buffered })
  return pino({ level, base: null }, destination)
}

/** Writes what is still waiting, and says whether all was written; a reader that is stuck is not waited for. */
export const flushLog = (log: Logger): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 100)
    log.flush(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })

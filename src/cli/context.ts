import type { Writable } from 'node:stream'
import { areColoursWanted, type Paint, paintWith } from '../colours.ts'

/** What a command has of the world besides its arguments. Tests give their own. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Writable
  readonly stderr: Writable
  /** What the process exits with when the command returns without throwing. */
  exitCode: number
}

/** Resolves when the stream has taken the text, or when nobody reads it any more (see ignoreBrokenPipe). */
export const print = async (stream: Writable, text: string): Promise<void> => {
  await offer(stream, text)
}

/**
 * The same; true when the stream has taken it. A process's own streams are never `destroyed` (dummyDestroy in
 * lib/internal/bootstrap/switches/is_main_thread.js).
 */
export const offer = (stream: Writable, text: string): Promise<boolean> =>
  new Promise((resolve) => {
    stream.write(text, (error) => resolve(!error))
  })

/** Whether people read it, and no program or file. */
export const isTerminal = (stream: Writable): boolean => (stream as { isTTY?: boolean }).isTTY === true

/** For what is printed on standard output. */
export const paintFor = ({ env, stdout }: CliContext): Paint =>
  paintWith(areColoursWanted(env, isTerminal(stdout)))

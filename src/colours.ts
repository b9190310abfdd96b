/** What runs in a terminal, and what its user has said of colours. */
type Env = Readonly<Record<string, string | undefined>>

const CODES = { heading: '1', faint: '2', bad: '31', good: '32', changed: '33' } as const

export type Style = keyof typeof CODES

/** Puts a text into colours, or leaves it as it is. */
export type Paint = (text: string, style: Style | undefined) => string

export const paintWith = (areWanted: boolean): Paint => (areWanted ? inColours : (text) => text)

const inColours: Paint = (text, style) =>
  style === undefined || text === '' ? text : `\x1b[${CODES[style]}m${text}\x1b[0m`

/**
 * Colours are for people at a terminal. Any NO_COLOR but an empty one turns them off (no-color.org); else FORCE_COLOR turns
 * them on wherever the text goes, but for FORCE_COLOR=0, which turns them off.
 */
export function areColoursWanted(env: Env, isTerminal: boolean): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return isTerminal && env.TERM !== 'dumb'
}

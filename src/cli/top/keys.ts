import { SORTS } from '../../api/rates.ts'
import { SECTIONS } from './sections.ts'
import type { Look } from './view.ts'

const CHOICES = ['all', ...SECTIONS] as const

/** What a terminal sends: an escape sequence is one key. */
export const keysIn = (data: string): readonly string[] =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals send
  data.match(/\x1b[[O][0-9;]*[A-Za-z~]|./gsu) ?? []

/** The look after a key; undefined: it was one to quit. What is paused keeps its order. */
export function press(key: string, look: Look): Look | undefined {
  switch (key) {
    case 'q':
    case '\x03':
      return undefined
    case '?':
      return { ...look, isHelp: !look.isHelp }
    case 'p':
    case ' ':
      return { ...look, isPaused: !look.isPaused }
    case '\t':
    case '\x1b[B':
    case '\x1bOB':
      return { ...look, section: step(CHOICES, look.section, 1) }
    case '\x1b[Z':
    case '\x1b[A':
    case '\x1bOA':
      return { ...look, section: step(CHOICES, look.section, -1) }
    case '\x1b[C':
    case '\x1bOC':
      return turn(look, 1)
    case '\x1b[D':
    case '\x1bOD':
      return turn(look, -1)
    default:
      return look
  }
}

const turn = (look: Look, by: 1 | -1): Look =>
  look.isPaused ? look : { ...look, sort: step(SORTS, look.sort, by) }

const step = <Choice>(choices: readonly Choice[], choice: Choice, by: 1 | -1): Choice =>
  choices[(choices.indexOf(choice) + by + choices.length) % choices.length]!

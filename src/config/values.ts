import { z } from 'zod'

/** What every value of the config is made of: schemas whose messages say what was expected in a value's place. */

export const integer = (least: number, most: number) => {
  const expected = `a whole number from ${least} to ${most}`
  return z.int(expected).min(least, expected).max(most, expected)
}

export const oneOf = <const Words extends readonly string[]>(...words: Words) =>
  z.enum(words, words.length === 1 ? `${words[0]} (this version has no other)` : words.join(' or '))

/** A text that `parse` understands; it returns undefined for any other, or throws Unfit to say more. */
export const text = <T>(expected: string, parse: (value: string) => T | undefined) =>
  z.unknown().transform((value, context): T => {
    const parsed = typeof value === 'string' ? tryParse(value, parse) : undefined
    if (parsed !== undefined && !(parsed instanceof Unfit)) return parsed
    context.issues.push({
      code: 'custom',
      input: value,
      message: parsed instanceof Unfit ? parsed.expected : expected,
    })
    return z.NEVER
  })

/** Well formed, but not to be used here. */
export class Unfit {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

function tryParse<T>(value: string, parse: (value: string) => T | undefined): T | Unfit | undefined {
  try {
    return parse(value)
  } catch (error) {
    if (error instanceof Unfit) return error
    throw error
  }
}

/** A mapping with these keys and no others. The message of an unknown key lists the known ones for validate.ts. */
export const mapping = <Shape extends z.ZodRawShape>(shape: Shape, otherwise = '') =>
  z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys'
        ? Object.keys(shape).join(' ')
        : `${otherwise}a mapping with ${Object.keys(shape).join(', ')}`,
  })

export const list = <Item extends z.ZodType>(item: Item, expected: string) => z.array(item, expected)

export const isName = (value: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,252}$/.test(value)

export const name = text(
  'a name: letters, digits and ._:/@- (at most 253, the first a letter or digit)',
  (value) => (isName(value) ? value : undefined),
)

export const port = integer(1, 65_535)

export const isPort = (port: number): boolean => port >= 1 && port <= 65_535

export const percent = (least: number, most: number) =>
  text(`a share such as 10%, from ${least}% to ${most}%`, (value) => {
    const [, digits] = /^([0-9]{1,3})%$/.exec(value) ?? []
    const share = Number(digits)
    return share >= least && share <= most ? share / 100 : undefined
  })

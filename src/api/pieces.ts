import { Readable } from 'node:stream'
import { setImmediate as breathe } from 'node:timers/promises'

/** An answer's type with lists that are made while they are sent, at its top or one level below. */
export type Given<Answer> = Listed<Answer> | { readonly [Key in keyof Answer]: Listed<Answer[Key]> }
type Listed<Value> = Value extends readonly (infer Item)[] ? Iterable<Item> : Value

/** As many as cost the event loop some milliseconds. */
const ITEMS_A_PIECE = 256

export const iterable = <Item>(iterate: () => Iterator<Item>): Iterable<Item> => ({
  [Symbol.iterator]: iterate,
})

/**
 * The same value as JSON, or undefined when it is as well sent at once. A list of ten thousand services or a hundred thousand
 * containers is made and sent some at a time, each for as long as the reader takes the ones before: neither is there ever a
 * whole answer in memory, nor do health changes wait for it.
 */
export function inPieces(value: unknown): Readable | undefined {
  const lists = [value, ...(isObject(value) ? Object.values(value) : [])]
  return lists.some(isLong) ? Readable.from(piecesOf(value), { objectMode: false }) : undefined
}

/** Arrays and what `iterable` makes. */
const isList = (value: unknown): value is Iterable<unknown> => isObject(value) && Symbol.iterator in value
const isLong = (value: unknown): boolean =>
  isList(value) && !(Array.isArray(value) && value.length <= ITEMS_A_PIECE)
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

async function* piecesOf(value: unknown): AsyncGenerator<string> {
  if (isList(value)) return yield* listPieces(value, '')
  let before = '{'
  for (const [key, part] of Object.entries(value as object)) {
    if (part === undefined) continue
    const name = `${before}${JSON.stringify(key)}:`
    if (isLong(part)) yield* listPieces(part, name)
    else yield name + JSON.stringify(part)
    before = ','
  }
  yield before === '{' ? '{}' : '}'
}

async function* listPieces(list: Iterable<unknown>, before: string): AsyncGenerator<string> {
  let items: unknown[] = []
  let start = `${before}[`
  for (const item of list) {
    items.push(item)
    if (items.length < ITEMS_A_PIECE) continue
    yield start + joined(items)
    start = ','
    items = []
    await breathe()
  }
  const rest = joined(items)
  yield rest === '' ? (start === ',' ? ']' : `${start}]`) : `${start}${rest}]`
}

/** Without the brackets. */
const joined = (items: readonly unknown[]): string => JSON.stringify(items).slice(1, -1)

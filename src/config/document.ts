import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type YAMLMap,
} from 'yaml'
import { oneLine, type Path, quoteValue } from './issue.ts'

export interface Place {
  readonly line: number
  readonly column: number
}

/** A YAML text as plain values, and where each of them stands. */
export interface ConfigDocument {
  readonly value: unknown
  /** The place of the value (or its key) at `path`; of the nearest one above when there is none. */
  locate(path: Path, at: 'key' | 'value'): Place
}

/** What is wrong with a text before it is even a config. */
export interface Fault {
  readonly place: Place
  readonly message: string
}

/** The deepest place of a config is services › service › pins › pin › value. */
const DEEPEST = 32
/** Aliases repeat what they name: this many values at most, however they are nested. */
const MOST_VALUES = 4_000_000
/** More than anyone is shown: reading stops making a list of them. */
const MOST_FAULTS = 100

/** Reads one YAML 1.2 document. Hostile text costs no more than its length and the bounds above. */
export function readDocument(text: string): ConfigDocument | readonly Fault[] {
  const place = placesOf(text)
  const { tokens, tooDeepAt } = parseTokens(text)
  if (tooDeepAt !== undefined)
    return [{ place: place(tooDeepAt), message: `nested deeper than the ${DEEPEST} levels allowed` }]

  // Duplicate keys are found below: yaml's own search is quadratic in the keys of a mapping.
  const documents = [...new Composer({ uniqueKeys: false }).compose(tokens, true, text.length)]
  const faults: Fault[] = documents
    .flatMap(({ errors }) => errors.slice(0, MOST_FAULTS))
    .map(({ pos, message }) => ({ place: place(pos[0]), message: `not YAML: ${oneLine(message)}` }))
  if (documents.length > 1)
    faults.push({ place: place(documents[1]!.range[0]), message: 'a second document; expected only one' })
  if (faults.length > 0) return faults

  const reader = new NodeReader()
  const root = documents[0]?.contents
  const value = reader.read(root, 0, 0)
  if (reader.faults.length > 0)
    return reader.faults.map(({ offset, message }) => ({ place: place(offset), message }))
  return { value, locate: (path, at) => place(reader.offsetOf(root, path, at)) }
}

function placesOf(text: string): (offset: number) => Place {
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) lines.addNewLine(end + 1)
  return (offset) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
}

/**
 * Lexes and parses while watching the parser's stack: the composer that comes after is recursive, and some
 * thousands of open brackets make it (yaml 2.9) end the process instead of throwing.
 */
function parseTokens(text: string): { tokens: CST.Token[]; tooDeepAt: number | undefined } {
  const parser = new Parser()
  const tokens: CST.Token[] = []
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (parser.stack.length > DEEPEST) return { tokens, tooDeepAt: parser.offset }
  }
  for (const token of parser.end()) tokens.push(token)
  return { tokens, tooDeepAt: undefined }
}

/** Turns nodes into plain values, and keeps what is needed to find them again. */
class NodeReader {
  readonly faults: { offset: number; message: string }[] = []
  readonly #anchors = new Map<string, unknown>()
  /** What each alias stood for where it was read: an anchor may be set again later. */
  readonly #targets = new Map<unknown, unknown>()
  #values = 0

  /** `offset` is the nearest place known above, for nodes that have none of their own. */
  read(node: unknown, offset: number, depth: number): unknown {
    if (++this.#values > MOST_VALUES || depth > DEEPEST) return this.#tooMuch(offset)
    if (isAlias(node)) return this.#readAlias(node, node.source, node.range?.[0] ?? offset, depth)
    if (isScalar(node)) {
      if (node.anchor) this.#anchors.set(node.anchor, node)
      return node.value
    }
    if (isMap(node)) {
      if (node.anchor) this.#anchors.set(node.anchor, node)
      return this.#readMap(node, node.range?.[0] ?? offset, depth)
    }
    if (isSeq(node)) {
      if (node.anchor) this.#anchors.set(node.anchor, node)
      const start = node.range?.[0] ?? offset
      return node.items.map((item) => this.read(item, start, depth + 1))
    }
    return undefined
  }

  #readAlias(alias: unknown, source: string, offset: number, depth: number): unknown {
    const target = this.#anchors.get(source)
    if (target === undefined)
      return this.#fault(offset, `${quoteValue(`*${source}`)}: no anchor of that name before it`)
    this.#targets.set(alias, target)
    return this.read(target, offset, depth + 1)
  }

  #readMap(map: YAMLMap, offset: number, depth: number): Record<string, unknown> {
    // No prototype: a key named __proto__ is then a key like any other, and refused as unknown.
    const values = Object.create(null) as Record<string, unknown>
    const seen = new Set<string>()
    for (const { key, value } of map.items) {
      const start = isScalar(key) ? (key.range?.[0] ?? offset) : offset
      if (!isScalar(key) || key.value === null) {
        this.#fault(start, 'a key that is no plain text')
        continue
      }
      const name = String(key.value)
      if (seen.has(name)) this.#fault(start, `${quoteValue(name)} given twice`)
      seen.add(name)
      values[name] = this.read(value, start, depth + 1)
    }
    return values
  }

  /** An alias bomb runs into this at every level: one fault says it. */
  #tooMuch(offset: number): undefined {
    if (this.faults.length === 0)
      this.#fault(offset, `aliases repeat too much; at most ${MOST_VALUES} values and ${DEEPEST} levels`)
  }

  #fault(offset: number, message: string): undefined {
    if (this.faults.length < MOST_FAULTS) this.faults.push({ offset, message })
  }

  offsetOf(root: unknown, path: Path, at: 'key' | 'value'): number {
    let node = root
    let offset = rangeStart(root) ?? 0
    for (const [i, step] of path.entries()) {
      const found = this.#child(node, step)
      if (found === undefined) break
      const wanted = at === 'key' && i === path.length - 1 ? found.key : found.value
      offset = rangeStart(wanted) ?? rangeStart(found.key) ?? offset
      node = found.value
    }
    return offset
  }

  #child(node: unknown, step: PropertyKey): { key: unknown; value: unknown } | undefined {
    const target = this.#targets.get(node) ?? node
    if (isMap(target)) return target.items.find(({ key }) => isScalar(key) && String(key.value) === step)
    if (isSeq(target) && typeof step === 'number' && step < target.items.length)
      return { key: undefined, value: target.items[step] }
    return undefined
  }
}

const rangeStart = (node: unknown): number | undefined =>
  isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined

/** What the README says to be supported is shown by vectors and tests that exist. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const LINK = /\[`?([^\]`]+)`?\]\(([^)]+)\)/g
const HEADER = '| what | supported | not yet | shown by |'

interface Link {
  readonly text: string
  readonly target: string
}

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const vectors = readdirSync(join(ROOT, 'test', 'vectors'))

const linksIn = (text: string): readonly Link[] =>
  Array.from(text.matchAll(LINK), ([, text, target]) => ({ text: text!, target: target! }))

/** The lines below the table's header and its rule. */
function supportedRows(): readonly string[] {
  const lines = readme.split('\n')
  const first = lines.indexOf(HEADER) + 2
  return lines.slice(first, lines.indexOf('', first))
}

/** The families of the vectors that a name with a `*` at its end stands for. */
const familiesOf = (glob: string): readonly string[] => {
  const named = vectors.filter((name) => name.startsWith(glob.slice(0, -1)))
  return ['-v4', '-v6'].filter((family) => named.some((name) => name.endsWith(family)))
}

test('every link leads to a file', () => {
  const lost = linksIn(readme).filter(
    ({ target }) => !target.includes('://') && !existsSync(join(ROOT, target)),
  )
  assert.deepEqual(lost, [])
})

test('every row of what is supported names vectors or tests', () => {
  assert.ok(supportedRows().length >= 10, `the table has ${supportedRows().length} rows`)
  for (const row of supportedRows()) {
    const links = linksIn(row.split(' | ').at(-1)!)
    assert.ok(links.length > 0, `nothing shows: ${row}`)
    for (const { target } of links) assert.match(target, /^test\//)
  }
})

test('vectors that are named are there, in both families where the row is about both', () => {
  for (const row of supportedRows()) {
    const globs = linksIn(row).filter(({ text }) => text.endsWith('*'))
    for (const { text } of globs) assert.notDeepEqual(familiesOf(text), [], `no vector ${text}`)
    const families = new Set(globs.flatMap(({ text }) => familiesOf(text)))
    if (globs.length > 0 && !/^\| IPv[46] /.test(row)) assert.equal(families.size, 2, row)
  }
})

import assert from 'node:assert/strict'
import { OnehopError } from '../../src/errors.ts'
import type { Random } from './random.ts'

/** What somebody may put where a name, an address or a number belongs. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  '\u001b[2J\u001b]0;owned\u0007',
  'one\nonehop: all is well',
  '\u202etxt.exe\u2066',
  '../../../../etc/passwd',
  '/dev/zero',
  '$(reboot)`reboot`;reboot|reboot&reboot',
  "'; DROP TABLE entries; --",
  '%s%n%x',
  '__proto__',
  'constructor',
  'x'.repeat(10_000),
  '999999999999999999999999',
  '\ud800',
]

const nested = (depth: number): unknown => {
  let value: unknown = 'x'
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? [value] : { a: value }
  return value
}

/** One of each type, and some that only look like what they are. */
export const HOSTILE_VALUES: readonly unknown[] = [
  ...HOSTILE_TEXTS,
  ...[null, true, -1, 0.5, 1e308, 2 ** 53],
  ...[[], [[]], {}, nested(20)],
  JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1,"toString":1,"length":-1}'),
]

export type Path = readonly (string | number)[]

/** A value with what stands at each of its places in turn replaced by each hostile one. */
export function* swaps(good: unknown): Generator<{ readonly path: Path; readonly value: unknown }> {
  for (const path of pathsOf(good))
    for (const hostile of HOSTILE_VALUES) yield { path, value: replaced(good, path, hostile) }
}

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, part] of Object.entries(value))
    yield* pathsOf(part, [...path, Array.isArray(value) ? Number(key) : key])
}

function replaced(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
  if (step === undefined) return by
  const part = replaced((value as Record<string | number, unknown>)[step], rest, by)
  if (Array.isArray(value)) return value.with(step as number, part)
  return { ...(value as object), [step]: part }
}

const PIECES: readonly Uint8Array[] = [
  ...HOSTILE_TEXTS.slice(0, -1),
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\n',
    '\r',
    '\t',
    '#',
    '&a ',
    '*a',
    '<<: *a',
    '- ',
    '!!js/function ',
  ],
].map((text) => Buffer.from(text))
/** Half of a character, one that is too long, a surrogate, and bytes that UTF-8 never has. */
const NO_UTF8 = [[0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xff, 0xfe]].map((bytes) =>
  Uint8Array.from(bytes),
)
const MOST_CUTS = 300

/** A file near a good one: cut at every n-th byte, then as many as `rounds` with bits, bytes and pieces changed. */
export function* damages(good: Uint8Array, random: Random, rounds: number): Generator<Uint8Array> {
  const step = Math.max(1, Math.ceil(good.length / MOST_CUTS))
  for (let length = 0; length < good.length; length += step) yield good.slice(0, length)
  for (let round = 0; round < rounds; round++) {
    let bytes = good
    for (let changes = random.below(4); changes >= 0; changes--) bytes = damaged(bytes, random)
    yield bytes
  }
}

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1)
  const piece = random.pick([
    () => random.pick(PIECES),
    () => random.pick(NO_UTF8),
    () => random.bytes(random.below(9)),
    () => bytes.subarray(at, at + random.below(200)),
  ])()
  if (random.oneIn(3)) {
    const flipped = Uint8Array.from(bytes) // slice() of a Buffer would share its memory
    if (at < flipped.length) flipped[at]! ^= 1 << random.below(8)
    return flipped
  }
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + random.below(piece.length + 2))])
}

/** Lines and characters that a terminal or a log may be shown: bounded, and none that moves a cursor or begins another line. */
export function assertPlain(lines: readonly string[], told: string): void {
  assert.ok(lines.length <= 21, `${lines.length} lines; ${told}`)
  for (const line of lines) {
    assert.ok(line.length < 1_500, `${line.length} characters: ${line.slice(0, 200)}; ${told}`)
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, told)
  }
}

/** What `act` refuses, line by line; undefined when it does not. Anything but an error of ours is a defect. */
export function refusal(act: () => unknown, told: string): readonly string[] | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    assert.ok(error instanceof OnehopError, `${error instanceof Error ? error.stack : error}\n${told}`)
    const lines = error.message.split('\n')
    assertPlain(lines, told)
    return lines
  }
}

import fc from 'fast-check'

/** A JSON Schema (2020-12), as far as the API's document uses it. */
export interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
}

/** Texts that somebody may mean something by, so that not all requests end at the first name. */
const TEXTS = [
  'web',
  'all',
  'a',
  'b',
  '198.51.100.7',
  '198.51.100.0/24',
  '2001:db8::/32',
  '::ffff:1.2.3.4',
  '',
]

/** Values that a schema allows. */
export function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const { minimum = -1_000, maximum = 1_000_000 } = schema
  switch (schema.type) {
    case 'string':
      return fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary' }))
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.maxSafeInteger().map((n) => minimum + (Math.abs(n) % (maximum - minimum + 1)))
    case 'number':
      return fc.double({ min: minimum, max: maximum, noNaN: true })
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 5 })
    case 'object':
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, of]) => [key, valuesOf(of)])),
        { requiredKeys: [...(schema.required ?? [])] },
      )
    case undefined:
      return fc.oneof(fc.constantFrom(...TEXTS), fc.jsonValue())
    default:
      throw new Error(`no values known of ${JSON.stringify(schema)}`)
  }
}

const deep = (open: string, close: string) => (depth: number) => open.repeat(depth) + close.repeat(depth)

/** JSON texts near a schema, and far from it: other types, unknown and forbidden keys, deep, cut, not JSON, not UTF-8. */
export const hostileBodies = (schema: Schema): fc.Arbitrary<Uint8Array> => {
  const json = (value: fc.Arbitrary<unknown>) => value.map((one) => JSON.stringify(one) ?? '')
  const mapping = valuesOf(schema).map((value) => value as Record<string, unknown>)
  const withKey = (key: fc.Arbitrary<string>) =>
    fc
      .tuple(mapping, key, fc.jsonValue())
      .map(
        ([value, name, other]) =>
          `${JSON.stringify(value).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(other)}}`,
      )
  const known = fc.constantFrom(...Object.keys(schema.properties ?? { none: {} }))
  const texts = fc.oneof(
    json(fc.jsonValue()),
    withKey(known),
    withKey(fc.string()),
    withKey(fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty')),
    fc.integer({ min: 1, max: 30_000 }).map(deep('[', ']')),
    fc.integer({ min: 1, max: 10_000 }).map(deep('{"names":', '}')),
    fc.tuple(json(mapping), fc.nat(100)).map(([text, length]) => text.slice(0, length)),
    fc.integer({ min: 65_000, max: 70_000 }).map((length) => JSON.stringify({ names: ['x'.repeat(length)] })),
  )
  return fc.oneof(
    { weight: 6, arbitrary: texts.map((text) => new TextEncoder().encode(text)) },
    { weight: 1, arbitrary: texts.map((text) => new Uint8Array(Buffer.from(text, 'utf16le'))) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  )
}

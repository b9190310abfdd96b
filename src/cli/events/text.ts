import { oneLine } from '../../config/issue.ts'

type Fields = Readonly<Record<string, unknown>>

/** An event as a line for people: when, what, and the rest in words. */
export function formatEvent(event: Fields): string {
  const { at, type, change } = event
  const clock = typeof at === 'string' ? at.slice(11) : ''.padEnd(13)
  const words = WORDS[String(type)] ?? ((fields: Fields) => Object.values(fields).map(String))
  const rest = words(event)
    .filter((word) => word !== '')
    .join(' ')
  return oneLine(`${clock}  ${String(type).padEnd(9)}  ${change} ${rest}`.trimEnd())
}

const word = (prefix: string, value: unknown, suffix = ''): string =>
  value === undefined ? '' : `${prefix}${value}${suffix}`

const list = (prefix: string, value: unknown): string =>
  Array.isArray(value) && value.length > 0 ? `${prefix}${value.join(', ')}` : ''

const WORDS: Readonly<Record<string, (event: Fields) => readonly string[]>> = {
  container: ({ container, from, weight, by, why, services }) => [
    `${container}`,
    word('→ ', weight),
    word('was ', from),
    list('in ', services),
    word('says ', by),
    word('(', why, ')'),
  ],
  service: ({ service, settings }) => [`${service}`, list('', settings)],
  table: ({ source, scope, container, from, origin }) => [
    `${source}`,
    word('in ', scope),
    word('from ', from),
    word('to ', container),
    word('(', origin, ')'),
  ],
  pin: ({ service, source, container }) => [`${source}`, word('in ', service), word('to ', container)],
  config: ({ services, error }) => [word('', services, ' services'), word('', error)],
  source: ({ from, error }) => [`${from}`, word('', error)],
  fastpath: ({ uplinks, ports, problem }) => [`${uplinks} uplinks, ${ports} ports`, word('', problem)],
  link: ({ link }) => [`${link}`],
  problem: ({ problem }) => [`${problem}`],
  more: ({ counts }) => Object.entries(counts as Fields).map(([what, count]) => `${what}: ${count}`),
  gap: ({ since, why }) => [`after ${since}:`, `${why}`],
  cut: ({ why }) => [`${why}`],
}

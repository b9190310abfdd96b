import { oneLine } from '../../config/issue.ts'
import type { PastChoice, PastContainer, PastExplanation, PastScope } from '../../decisions/past.ts'

/** Who served the client then, in words. */
export function formatPast(past: PastExplanation): string {
  const { source, at, daemon, scopes, log } = past
  const head = `${source} at ${at}${daemon === 'not at work' ? ', when no daemon was at work' : ''}:`
  const lines = scopes.flatMap((scope) => formatScope(scope, source, log.from))
  const none =
    scopes.length === 0 ? ['Nothing could be known of it: the log names no service that it could ask.'] : []
  return `${[head, ...[...lines, ...none, ...logLines(past)].map((line) => `  ${line}`)].join('\n')}\n`
}

function formatScope(past: PastScope, source: string, from: string | undefined): readonly string[] {
  const whom = past.source === source ? '' : ` (known as ${past.source})`
  const doubt = past.isDoubtful ? ['That is not certain: changes were lost in between.'] : []
  return [
    `In ${oneLine(past.scope)}${whom}: ${tell(past, from)}`,
    ...[...details(past), ...wouldLines(past)].map((line) => `  ${line}`),
    ...doubt,
  ]
}

function tell(past: PastScope, from: string | undefined): string {
  switch (past.known) {
    case 'log':
    case 'table': {
      const since = past.since === undefined ? `since before the log begins (${from})` : `since ${past.since}`
      return `it went to ${oneLine(past.container ?? '')}, ${since}${because(past)}.`
    }
    case 'no':
      return `it was not remembered, so that the algorithm alone decided, or it did not ask${ended(past)}.`
    case 'unlogged':
      return from === undefined
        ? 'the log is empty.'
        : `the log says nothing about it, and begins at ${from}; the running daemon's table may know.`
  }
}

const BECAUSE = {
  pinned: ', for it was pinned',
  assigned: ', for the algorithm had chosen it',
  restored: ', for it was restored or imported',
}

const because = ({ origin }: PastScope): string => (origin === undefined ? '' : BECAUSE[origin])

const ENDS: Readonly<Record<string, string>> = {
  idle: 'its entry had been idle too long',
  forgotten: 'its entry was forgotten by the operator',
}

const ended = ({ until, end }: PastScope): string =>
  until === undefined ? '' : ` (${ENDS[end ?? ''] ?? end}, at ${until})`

function wouldLines({ known, would }: PastScope): readonly string[] {
  if (known !== 'no') return []
  if (would === undefined)
    return ['Whom the algorithm would have chosen the log does not tell: a running daemon works it out.']
  return would.map(sayChoice)
}

function sayChoice({ service, reason, container, unknown }: PastChoice): string {
  const head = `Had it asked ${oneLine(service)} then,`
  const by = 'by the config in force now and the containers as they stood'
  if (unknown !== undefined)
    return `${head} who would have served it cannot be known: ${UNKNOWN[unknown] ?? unknown}.`
  if (container === undefined) return `${head} nobody would have served it (${reason}), ${by}.`
  return `${head} it would have gone to ${oneLine(container)} (${reason}), ${by}.`
}

const UNKNOWN: Readonly<Record<string, string>> = {
  service: 'it is no service any more',
  family: "it has no address of the client's family",
  'slow-start': "a container's share was still growing",
  'weighted-round-robin': 'whose turn it was is not logged',
  'least-sources': 'how many sources each container had is not logged',
  'random-two': 'how many sources each container had is not logged',
}

function details({ known, from, until, end, next, stood }: PastScope): readonly string[] {
  if (known === 'no' || known === 'unlogged') return []
  const over = next === undefined ? (ENDS[end ?? ''] ?? 'it ended') : `it went to ${oneLine(next)}`
  return [
    ...(from === undefined ? [] : [`It had been at ${describe(from)}.`]),
    ...(until === undefined ? ['It has not changed since.'] : [`Until ${until}, when ${over}.`]),
    ...(stood === undefined ? [] : [`Then stood ${describe(stood)}.`]),
  ]
}

function describe({ container, state, by, why, since }: PastContainer): string {
  const says = [by, why].filter((word) => word !== undefined).join(': ')
  const rest = `${since === undefined ? '' : ` since ${since}`}${says === '' ? '' : ` (${oneLine(says)})`}`
  return `${oneLine(container)}, ${state === 'gone' ? 'which no service had any more' : state}${rest}`
}

function logLines({ log }: PastExplanation): readonly string[] {
  const holes = [
    ...(log.damaged === 0 ? [] : [`${log.damaged} damaged parts`]),
    ...(log.lost === 0 ? [] : [`${log.lost} changes that were not logged`]),
  ]
  return holes.length === 0 ? [] : [`The log has holes: ${holes.join(', ')}.`]
}

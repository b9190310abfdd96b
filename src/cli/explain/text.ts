import type { Paint } from '../../colours.ts'
import { oneLine } from '../../config/issue.ts'
import type {
  AdmissionExplanation,
  AlgorithmExplanation,
  ContainerExplanation,
  EntryExplanation,
  Explanation,
  PinExplanation,
  RouteExplanation,
  ServiceExplanation,
} from '../../explain/explanation.ts'
import { bytes, count, duration } from '../measures.ts'

/** Reads like an explanation: what happens first, then why, then why not otherwise. */
export function formatExplanation(explanation: Explanation, paint: Paint): string {
  const { source, services, alias, left } = explanation
  const sections = services.map((service) => formatService(source, service, alias, paint))
  const more = left === 0 ? [] : [`${left} services more; --service names one of them.\n`]
  return oneBelowAnother([...sections, ...more])
}

const oneBelowAnother = (sections: readonly string[]): string => sections.join('\n')

function formatService(
  source: string,
  service: ServiceExplanation,
  alias: string | undefined,
  paint: Paint,
): string {
  const lines = [
    ...admissionLines(service),
    ...pinLines(service),
    ...entryLines(service),
    algorithmLine(service),
    ...service.containers.map((container) => containerLine(container, service, paint)),
    ...wayLines(source, service, alias),
  ]
  const asks = `${source} asking ${oneLine(service.service)} at ${service.ways.join(', ')}`
  return [`${asks} ${headline(service, paint)}`, ...lines.map((line) => `  ${line}`), ''].join('\n')
}

function headline({ decision: { reason, container }, admission }: ServiceExplanation, paint: Paint): string {
  if (reason === 'denied') return `is ${paint('denied', 'bad')}: ${whyDenied(admission)} (denied).`
  if (reason === 'source-limit' || reason === 'prefix-limit')
    return `is ${paint('dropped', 'bad')} now: it is new, and ${LIMITS[reason]} (${reason}).`
  if (container === undefined) return `gets ${paint('no container', 'bad')}: none can take it.`
  const because = {
    pinned: 'it is pinned',
    known: 'that is where it is known',
    chosen: 'the algorithm chose it',
    unpinned: 'its pin cannot be kept to',
    'no-container': '',
    denied: '',
  }[reason]
  return `goes to ${paint(oneLine(container), 'good')}, because ${because} (${reason}).`
}

const LIMITS = {
  'source-limit': 'has come to as many services as one source may (newSources.perSource)',
  'prefix-limit': 'as many of its prefix have come as may (newSources.perPrefix)',
} as const

const whyDenied = (admission: AdmissionExplanation | undefined): string =>
  admission?.prefix === undefined
    ? "no prefix of the service's allow list covers it"
    : `${admission.prefix} is on the service's deny list`

const admissionLines = ({ admission }: ServiceExplanation): readonly string[] =>
  admission?.isAllowed
    ? [admission.prefix === undefined ? 'No prefix denies it.' : `${admission.prefix} is allowed.`]
    : []

const pinLines = ({ pins }: ServiceExplanation): readonly string[] =>
  pins.length === 0 ? ['No pin covers it.'] : pins.map(pinLine)

function pinLine({ source, containers, by, result }: PinExplanation): string {
  const pin = `Pin ${source} → ${containers.map(oneLine).join(', ')} (${by === 'file' ? 'pinsFrom' : by})`
  switch (result) {
    case 'decides':
      return `${pin} decides: the longest that one of its containers can keep.`
    case 'cannot':
      return `${pin} is passed over: none of its containers can take the source.`
    case 'shorter':
      return `${pin} covers it, too, but a longer one has decided.`
  }
}

function entryLines({ entry, knownAs, decision }: ServiceExplanation): readonly string[] {
  const whom = knownAs.scope === '' ? knownAs.source : `${knownAs.source} in ${knownAs.scope}`
  if (entry === undefined) return [`The table does not know ${whom}.`]
  const where =
    entry.place === 'table' ? 'The table knows' : 'On probation, for it has not proved that it exists, stands'
  const stands = `${where} ${whom} at ${oneLine(entry.container)}`
  const times = `since ${duration(entry.ageSeconds)} (${entry.origin}), last seen ${duration(entry.unseenSeconds)} ago`
  const sent = entry.place === 'table' ? `, ${count(entry.packets, 'packet')}, ${bytes(entry.bytes)}` : ''
  return [`${stands} ${times}${sent}${fate(entry, decision.reason === 'pinned')}`]
}

function fate({ holds, idleSeconds }: EntryExplanation, isOverruled: boolean): string {
  switch (holds) {
    case 'yes':
      return isOverruled ? '; a pin comes first.' : '.'
    case 'idle':
      return `; that counts no more, idle for longer than ${duration(idleSeconds)}.`
    case 'gone':
      return '; that container is no longer one of the service.'
    case 'down':
      return '; that container is down.'
    case 'family':
      return '; that container has no address of this family.'
  }
}

function algorithmLine({ algorithm, decision }: ServiceExplanation): string {
  const { name, picks } = algorithm
  if (picks === undefined) return `${name} finds no container that takes new sources of this family.`
  const isDecisive = decision.reason === 'chosen' || decision.container === picks
  const choice = `${name} ${isDecisive ? 'chooses' : 'would choose'} ${oneLine(picks)}${rows(algorithm)}`
  return `${choice}. Of new sources it gives ${candidates(algorithm)}.`
}

const candidates = ({ candidates: list }: AlgorithmExplanation): string =>
  list
    .slice(0, MOST_NAMED)
    .map(({ container, share, sources }) => {
      const standing = sources === undefined ? '' : ` (it has ${sources})`
      return `${oneLine(container)} ${percent(share)}${standing}`
    })
    .join(', ') + (list.length > MOST_NAMED ? `, and ${list.length - MOST_NAMED} more` : '')

const rows = ({ name, rows: looked }: AlgorithmExplanation): string => {
  if (looked.length === 0) return ''
  const what = name === 'weighted-round-robin' ? 'turn' : 'row'
  const each = looked.map(({ row, of, container }) => `${row} of ${of} is ${oneLine(container)}'s`)
  return ` (${what} ${each.join(`, ${what} `)})`
}

/** Of a long list a person reads the beginning; --json has it whole. */
const MOST_NAMED = 8

function containerLine(container: ContainerExplanation, service: ServiceExplanation, paint: Paint): string {
  const { name, address, state, by, sinceSeconds, verdict } = container
  const whose = `${state}${sinceSeconds === undefined ? '' : ` for ${duration(sinceSeconds)}`}, says ${SPEAKERS[by] ?? by}`
  const stands = `${oneLine(name)} ${paint(`(${address ?? 'no address of this family'}; ${whose})`, 'faint')}`
  return verdict === 'yes'
    ? `${paint('✓', 'good')} ${stands}`
    : `${paint('✗', 'bad')} ${stands}: ${whyNot(container, service)}`
}

const SPEAKERS: Readonly<Record<string, string>> = {
  config: 'the config',
  operator: 'the operator',
  deadline: "the operator's deadline",
  health: 'its health check',
  discovery: 'its source',
  network: 'the network set-up',
  flapping: 'its flapping',
}

function whyNot(
  { verdict, state }: ContainerExplanation,
  { decision, algorithm }: ServiceExplanation,
): string {
  switch (verdict) {
    case 'yes':
      return ''
    case 'denied':
      return 'the source is denied.'
    case 'limit':
      return 'it takes the source when there is a place for new ones again.'
    case 'down':
      return 'down, it takes nobody.'
    case 'family':
      return 'it has no address of this family.'
    case 'pin':
      return `the pin leads to ${oneLine(decision.container ?? '')}.`
    case 'entry':
      return `the source is known at ${oneLine(decision.container ?? '')}.`
    case 'draining':
      return 'draining, it takes no new source.'
    case 'weight':
      return state === 'ready' ? 'of weight 0, it takes no new source.' : 'it takes no new source.'
    case 'algorithm':
      return `${algorithm.name} chose another.`
  }
}

function wayLines(source: string, service: ServiceExplanation, alias: string | undefined): readonly string[] {
  const { rewrites, answers, route, decision } = service
  if (decision.container === undefined) return []
  const ends = rewrites.slice(0, MOST_NAMED).map(({ from, to }) => `${from} → ${to}`)
  const seen = alias === undefined ? `the source stays ${source}` : `the source becomes its alias ${alias}`
  return [
    `Rewritten: destination ${ends.join(', ')}; ${seen}; checksums follow.`,
    ...(route === undefined ? [] : [routeLine(route)]),
    `The answer becomes one from ${rewrites
      .map(({ from }) => from)
      .slice(0, MOST_NAMED)
      .join(' or ')}, ${BACK[answers]}.`,
  ]
}

const BACK = {
  endpoint: 'for its endpoint belongs to this service alone',
  flow: 'for its flow was remembered, as the endpoint alone does not tell',
} as const

function routeLine({ by, interface: name, mac, via, fastpath }: RouteExplanation): string {
  const to = mac === undefined ? '' : ` to ${mac}${via === undefined ? '' : ` (${via})`}`
  const way =
    by === 'bridge'
      ? `a frame on ${name}${to}`
      : `back into the TUN, and the kernel routes it${name === undefined ? '' : ` out of ${name}`}${to}`
  const fast = fastpath === 'on' ? '; known sources take the fast path where their packets are plain' : ''
  return `Sent: ${way}${fast}.`
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} %`

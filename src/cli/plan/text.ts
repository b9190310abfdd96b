import type { Paint } from '../../colours.ts'
import { oneLine } from '../../config/issue.ts'
import type {
  Change,
  ContainerShare,
  FieldChange,
  Move,
  Mover,
  Place,
  Plan,
  Sides,
  Why,
} from '../../plan/plan.ts'
import { bytes } from '../measures.ts'
import { formatRows } from '../sections.ts'

/** What changes first, then whom it moves. */
export function formatPlan(plan: Plan, paint: Paint): string {
  const { changes, moves, containers, movers, left, notes } = plan
  return [
    changes.map((change) => `${formatChange(change, paint)}\n`).join('') + more(left.changes, 'changes'),
    formatClients(plan),
    section(moves.map(moveRow), MOVE_HEAD) + more(left.moves, 'lines'),
    section(containers.map(shareRow), SHARE_HEAD) + more(left.containers, 'containers'),
    section(movers.map(moverRow), MOVER_HEAD) + more(left.movers, 'moves; --top names more'),
    notes.map((note) => `Note: ${oneLine(note)}.\n`).join(''),
  ]
    .filter((text) => text !== '')
    .join('\n')
}

const count = (number: number): string => number.toLocaleString('en')

const more = (left: number, what: string): string => (left === 0 ? '' : `and ${count(left)} more ${what}\n`)

const section = (rows: readonly (readonly string[])[], head: readonly string[]): string =>
  rows.length === 0 ? '' : formatRows([head, ...rows])

const SIGNS = { added: '+', removed: '-', changed: '~' } as const
const STYLES = { added: 'good', removed: 'bad', changed: 'changed' } as const

function formatChange({ kind, change, name, service, fields }: Change, paint: Paint): string {
  const sign = paint(SIGNS[change], STYLES[change])
  const of = service === undefined ? '' : ` of ${oneLine(service)}`
  const shown = kind === 'setting' || change === 'changed' ? fields.map(formatField) : fields.flatMap(onlyOf)
  const what = kind === 'setting' ? '' : `${kind} ${oneLine(name)}${of}`
  return `${sign} ${[...(what === '' ? [] : [what]), ...(shown.length === 0 ? [] : [shown.join('; ')])].join(': ')}`
}

const formatField = ({ field, from, to }: FieldChange): string =>
  `${field} ${from === undefined ? 'none' : oneLine(from)} → ${to === undefined ? 'none' : oneLine(to)}`

const onlyOf = ({ field, to }: FieldChange): readonly string[] =>
  to === undefined ? [] : [`${field} ${oneLine(to)}`]

function formatClients({ clients: { known, moved, unserved, active, activeMoved } }: Plan): string {
  const nobody = unserved === 0 ? '' : `; nobody would serve ${count(unserved)} of them`
  return (
    `${count(moved)} of ${count(known)} known clients move (${share(moved, known)})${nobody}.\n` +
    `${count(activeMoved)} of ${count(active)} that were active in the last minute move.\n`
  )
}

/** `4.2 %`; never 0 % of some. */
export const share = (part: number, whole: number): string => {
  const percent = whole === 0 ? 0 : (part / whole) * 100
  return part > 0 && percent < 0.1 ? '< 0.1 %' : `${Number(percent.toFixed(1))} %`
}

const WHYS: Readonly<Record<Why, string>> = {
  pin: 'a pin leads there',
  unpinned: 'no pin holds it any more',
  gone: 'its container is gone',
  down: 'its container is down',
  family: 'its container has no address for it',
  affinity: 'its entry is not shared there',
  denied: 'the service does not let it in',
  idle: 'silent for longer than idle',
  closed: 'nobody serves that port',
  back: 'its container takes it again',
  algorithm: 'decided anew',
}

const placeCells = ({ service, from, to, why }: Place): readonly string[] => [
  oneLine(service),
  oneLine(from ?? '-'),
  oneLine(to ?? '-'),
  WHYS[why],
]

const MOVE_HEAD = ['service', 'from', 'to', 'why', 'clients', 'active']
const moveRow = (move: Move): readonly string[] => [
  ...placeCells(move),
  String(move.clients),
  String(move.active),
]

const SHARE_HEAD = ['service', 'container', 'state', 'known clients', 'new IPv4', 'new IPv6']
const shareRow = (one: ContainerShare): readonly string[] => [
  oneLine(one.service),
  oneLine(one.container),
  formatSides(one.state, String),
  formatSides(one.clients, count),
  formatSides(one.share4, (part) => share(part, 1)),
  formatSides(one.share6, (part) => share(part, 1)),
]

function formatSides<Value>({ before, after }: Sides<Value>, format: (value: Value) => string): string {
  if (before === after) return before === undefined ? '-' : format(before)
  return `${before === undefined ? '-' : format(before)} → ${after === undefined ? '-' : format(after)}`
}

const MOVER_HEAD = ['source', 'service', 'from', 'to', 'why', 'sent', 'seen']
const moverRow = (mover: Mover): readonly string[] => [
  mover.source,
  ...placeCells(mover),
  bytes(mover.bytes),
  mover.seen,
]

import type { Rates, Sort } from '../../api/rates.ts'
import type { Style } from '../../colours.ts'
import { SECTIONS, type Section, type SectionName, sectionOf } from './sections.ts'
import { bits, cut, duration, printable, short, sparkline } from './text.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** What the keys have chosen. */
export interface Look {
  readonly sort: Sort
  readonly section: SectionName | 'all'
  readonly isPaused: boolean
  readonly isHelp: boolean
}

export interface Line {
  readonly text: string
  readonly style?: Style
}

const HELP: readonly Line[] = [
  { text: 'onehop top', style: 'heading' },
  { text: '' },
  { text: 'q, Ctrl-C      quit' },
  { text: 'Tab, up, down  one section, or all of them' },
  { text: 'left, right    order of services and containers' },
  { text: 'p, space       pause' },
  { text: '?              this help, and back' },
]

/** A screen: never more lines than rows, nor a line longer than there are columns. */
export function viewOf(rates: Rates | undefined, look: Look, { columns, rows }: Size): readonly Line[] {
  const foot: Line = { text: footOf(look), style: 'faint' }
  const room = Math.max(rows - 1, 0)
  const body = look.isHelp
    ? HELP
    : rates === undefined
      ? [{ text: 'measuring …' }]
      : bodyOf(rates, look, { columns, rows: room })
  const shown = body.slice(0, room)
  const blank = Array.from({ length: room - shown.length }, (): Line => ({ text: '' }))
  return [...shown, ...blank, foot].slice(0, rows).map((line) => ({ ...line, text: cut(line.text, columns) }))
}

/** The same once and for scripts: as long as it takes. */
export const frameOf = (rates: Rates, look: Look, columns: number): readonly Line[] =>
  bodyOf(rates, look, { columns, rows: Number.POSITIVE_INFINITY }).map((line) => ({
    ...line,
    text: cut(line.text, columns),
  }))

const footOf = ({ sort, section, isPaused }: Look): string =>
  `${isPaused ? 'PAUSED  ' : ''}q quit  ? help  p pause  Tab ${section}  </> by ${sort}`

function bodyOf(rates: Rates, look: Look, { columns, rows }: Size): readonly Line[] {
  const head = headOf(rates, columns)
  const names = look.section === 'all' ? SECTIONS : [look.section]
  const sections = names.map((name) => sectionOf(name, rates))
  // A blank line and a heading each.
  const room = Math.max(rows - head.length - 2 * sections.length, 0)
  const shares = fairShares(
    room,
    sections.map((section) => section.rows.length),
  )
  return [
    ...head,
    ...sections.flatMap((section, i) => [{ text: '' }, ...linesOf(section, shares[i]!, columns)]),
  ]
}

function headOf(rates: Rates, columns: number): readonly Line[] {
  const { version, tun, upSeconds, fastpath, problems, received, table, history } = rates
  const rate = `received ${short(received.packets)} pkt/s ${bits(received.bytes)}bit/s  `
  const troubles = problems === 0 ? '' : `  problems ${problems}`
  const changes = (['probation', 'moved', 'expired', 'full', 'overQuota'] as const)
    .filter((change) => table[change] > 0)
    .map((change) => `  ${change} ${short(table[change])}/s`)
  return [
    {
      text: `onehop ${printable(`${version} ${tun}`)}  up ${duration(upSeconds)}  fast path ${fastpath.state}${troubles}`,
      style: problems === 0 ? 'heading' : 'bad',
    },
    { text: `${rate}${sparkline(history, columns - rate.length)}` },
    { text: `table ${short(table.entries)} of ${short(table.capacity)}${changes.join('')}` },
  ]
}

/** Each gets as much as the others, and what one does not need is for those that do. */
export function fairShares(room: number, wanted: readonly number[]): readonly number[] {
  const shares = wanted.map(() => 0)
  let left = Math.min(
    room,
    wanted.reduce((sum, want) => sum + want, 0),
  )
  for (let i = 0; left > 0; i = (i + 1) % wanted.length)
    if (shares[i]! < wanted[i]!) {
      shares[i]!++
      left--
    }
  return shares
}

const GAP = 2
const LEAST_NAME = 14
const MOST_NAME = 40
const MOST_CELL = 16

function linesOf({ title, columns, rows }: Section, most: number, width: number): readonly Line[] {
  const shown = rows.slice(0, most)
  const table = [[title, ...columns], ...shown.map(({ cells }) => cells)]
  const widths = fittingWidths(table, width)
  const format = (cells: readonly string[]) =>
    widths
      .map((room, i) => (i === 0 ? cut(cells[i]!, room).padEnd(room) : cut(cells[i]!, room).padStart(room)))
      .join(' '.repeat(GAP))
  const [heading, ...lines] = table.map(format)
  return [
    { text: heading!, style: 'heading' },
    ...lines.map((text, i): Line => ({ text, ...(shown[i]!.isBad ? { style: 'bad' } : {}) })),
  ]
}

/** Of the columns that find room beside a name, from the left; the name gets what is over. */
function fittingWidths(table: readonly (readonly string[])[], width: number): readonly number[] {
  const [name, ...others] = table[0]!.map((_, i) => Math.max(...table.map((cells) => cells[i]!.length)))
  const fitting: number[] = []
  let left = width - LEAST_NAME
  for (const wanted of others) {
    const room = Math.min(wanted, MOST_CELL)
    left -= room + GAP
    if (left < 0) break
    fitting.push(room)
  }
  const over = width - fitting.reduce((sum, room) => sum + room + GAP, 0)
  return [Math.max(Math.min(name!, MOST_NAME, over), Math.min(LEAST_NAME, over)), ...fitting]
}

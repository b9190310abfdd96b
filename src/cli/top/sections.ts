import type { ContainerRates, Rates, ServiceRates } from '../../api/rates.ts'
import { bits, percent, printable, short } from './text.ts'

export const SECTIONS = ['services', 'containers', 'sources', 'verdicts'] as const
export type SectionName = (typeof SECTIONS)[number]

/** A table: what matters most stands to the left, for a narrow terminal has no room for the rest. */
export interface Section {
  /** Heads the first column. */
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
}

export interface Row {
  /** One more than there are columns. */
  readonly cells: readonly string[]
  readonly isBad: boolean
}

const row = (cells: readonly string[], isBad = false): Row => ({ cells: cells.map(printable), isBad })

const BOTH_WAYS = ['IN PKT/S', 'OUT PKT/S', 'IN BIT/S', 'OUT BIT/S']
const bothWays = ({ in: asked, out: answered }: ServiceRates | ContainerRates): readonly string[] => [
  short(asked.packets),
  short(answered.packets),
  bits(asked.bytes),
  bits(answered.bytes),
]

export function sectionOf(name: SectionName, rates: Rates): Section {
  switch (name) {
    case 'services':
      return servicesOf(rates)
    case 'containers':
      return containersOf(rates)
    case 'sources':
      return sourcesOf(rates)
    case 'verdicts':
      return verdictsOf(rates)
  }
}

const servicesOf = ({ services: { count, shown } }: Rates): Section => ({
  title: `SERVICES ${count}`,
  columns: [...BOTH_WAYS, 'SOURCES'],
  rows: shown.map((service) => row([service.name, ...bothWays(service), short(service.entries)])),
})

const containersOf = ({ containers: { count, states, shown } }: Rates): Section => ({
  title: `CONTAINERS ${states.ready < count ? `${states.ready}/` : ''}${count}`,
  columns: ['STATE', 'SHARE', ...BOTH_WAYS],
  rows: shown.map((container) =>
    row(
      [container.name, container.state, percent(container.share), ...bothWays(container)],
      container.state !== 'ready',
    ),
  ),
})

const sourcesOf = ({ sources: { isMeasured, shown } }: Rates): Section => ({
  title: `HOT SOURCES${isMeasured ? '' : ' (measuring)'}`,
  columns: ['PKT/S', 'BIT/S', 'CONTAINER', 'SCOPE'],
  rows: shown.map(({ source, packets, bytes, container, scope }) =>
    row([source, short(packets), bits(bytes), container, scope]),
  ),
})

const verdictsOf = ({ verdicts, received }: Rates): Section => ({
  title: 'VERDICTS',
  columns: ['PKT/S', 'BIT/S', 'SHARE'],
  rows: verdicts
    .toSorted((a, b) => b.packets - a.packets)
    .map(({ verdict, reason, packets, bytes }) =>
      row(
        [
          `${verdict} ${reason}`,
          short(packets),
          bits(bytes),
          percent(received.packets === 0 ? 0 : packets / received.packets),
        ],
        verdict === 'drop',
      ),
    ),
})

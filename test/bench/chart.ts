/** The ways beside each other as an SVG: a row a leg, a column a metric, and nothing but what any viewer of SVG can draw. */
import { DEFAULT_LEGS } from './legs.ts'
import type { Metric } from './load.ts'
import { formatNumber, METRICS } from './report.ts'
import type { Results } from './results.ts'
import { type Distribution, distributionOf, valuesOf } from './summary.ts'

const SHOWN = ['bulk', 'p50', 'connections', 'requests', 'packets']
const [LABELS, COLUMN, BAR] = [228, 150, 84]
const [HEADING, ROW, THICKNESS] = [52, 24, 12]

/** Readable on a light and on a dark page, as the reader's system has it. */
const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 10px; fill: #59636e }
.title { font-weight: 600 }
.bar { fill: #a8b1bb }
.ours { fill: #1a7f64 }
.spread { stroke: #1f2328; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .bar { fill: #59636e }
  .ours { fill: #3fb68b }
  .spread { stroke: #e6edf3 }
}
`

/** Medians as bars from nothing on, each with a line from its least to its most. */
export function drawChart({ samples }: Results): string {
  const legs = DEFAULT_LEGS.filter(({ name }) => samples.some(({ leg }) => leg === name))
  const metrics = METRICS.filter(
    ({ name }) => SHOWN.includes(name) && samples.some(({ metric }) => metric === name),
  )
  const [width, height] = [LABELS + metrics.length * COLUMN, HEADING + legs.length * ROW + 6]
  const columns = metrics.flatMap((metric, i) => {
    const figures = legs.map(({ name }) => distributionOf(valuesOf(samples, metric.name, name)))
    const most = Math.max(...figures.map((figure) => figure?.most ?? 0))
    const x = LABELS + i * COLUMN
    const bars = figures.flatMap((figure, row) =>
      figure === undefined ? [] : drawBar(figure, BAR / most, x, row, isOurs(legs[row]!.name)),
    )
    return [...drawHeading(metric, x), ...bars]
  })
  const labels = legs.map(({ title, name }, row) =>
    drawText(title, 0, baseline(row), isOurs(name) ? 'title' : ''),
  )
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`
  const lines = [`<style>${STYLE}</style>`, ...labels, ...columns]
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="What was measured">\n${lines.join('\n')}\n</svg>\n`
}

const isOurs = (leg: string): boolean => leg === 'fastpath' || leg === 'onehop'

const baseline = (row: number): number => HEADING + row * ROW + THICKNESS

const drawHeading = ({ title, unit, better }: Metric, x: number): readonly string[] => [
  drawText(title, x, 16, 'title'),
  drawText(`${unit}, ${better} is better`, x, 32, 'small'),
]

function drawBar(
  { median, least, most }: Distribution,
  scale: number,
  x: number,
  row: number,
  ours: boolean,
): readonly string[] {
  const y = HEADING + row * ROW
  const at = (value: number) => (x + value * scale).toFixed(1)
  const middle = y + THICKNESS / 2
  return [
    `<rect class="bar${ours ? ' ours' : ''}" x="${x}" y="${y}" width="${(median * scale).toFixed(1)}" height="${THICKNESS}"/>`,
    `<line class="spread" x1="${at(least)}" y1="${middle}" x2="${at(most)}" y2="${middle}"/>`,
    drawText(formatNumber(median), x + BAR + 6, baseline(row), ''),
  ]
}

const drawText = (text: string, x: number, y: number, kind: string): string =>
  `<text${kind === '' ? '' : ` class="${kind}"`} x="${x}" y="${y - 1}">${escapeText(text)}</text>`

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

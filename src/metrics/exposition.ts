/** What Prometheus reads as text: https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [labels: Labels, value: number]

/**
 * One metric with its samples; none: nothing at all. `name` and the labels' names are words of ours and are taken as they
 * are, labels' values may be anything.
 */
export function formatMetric(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: readonly Sample[],
): string {
  return formatLines(
    name,
    type,
    help,
    samples.map((sample) => formatSample(name, sample)),
  )
}

/** The same of lines as they are, for those with ten thousand. */
export const formatLines = (
  name: string,
  type: 'counter' | 'gauge' | 'histogram',
  help: string,
  lines: readonly string[],
): string => (lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`)

const formatSample = (name: string, [labels, value]: Sample): string =>
  `${name}${formatLabels(labels)} ${value}\n`

export interface Series {
  readonly labels: Labels
  /** How many are in each bucket, one more than there are bounds. */
  readonly buckets: readonly number[]
  readonly sum: number
}

/** A histogram; `bounds`: the buckets' upper ones. */
export function formatHistogram(
  name: string,
  help: string,
  bounds: readonly number[],
  series: readonly Series[],
): string {
  const lines = series.flatMap(({ labels, buckets, sum }) => {
    let below = 0
    const cumulative = buckets.map((count, i): Sample => {
      below += count
      return [{ ...labels, le: i < bounds.length ? String(bounds[i]) : '+Inf' }, below]
    })
    return [
      ...cumulative.map((sample) => formatSample(`${name}_bucket`, sample)),
      formatSample(`${name}_sum`, [labels, sum]),
      formatSample(`${name}_count`, [labels, below]),
    ]
  })
  return formatLines(name, 'histogram', help, lines)
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

export const escapeValue = (value: string): string =>
  value.replace(/[\\"\n]/g, (character) => ESCAPES[character]!)

/** What Prometheus reads as text: https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string>>
/** Labels that many samples have are formatted once. */
export type Sample = readonly [labels: Labels | string, value: number]

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
  if (samples.length === 0) return ''
  const lines = samples.map(
    ([labels, value]) => `${name}${typeof labels === 'string' ? labels : formatLabels(labels)} ${value}\n`,
  )
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

export function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

const escapeValue = (value: string): string => value.replace(/[\\"\n]/g, (character) => ESCAPES[character]!)

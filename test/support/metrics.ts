/** `name{label="value",…}`, with values as JSON writes them → value. */
export type Series = ReadonlyMap<string, number>

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HELP = new RegExp(`^# HELP (${NAME}) \\S.*$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y

/** Reads the text format as its description has it, strictly: throws for any line, order or repetition that it does not allow. */
export function readMetrics(text: string): Series {
  const series = new Map<string, number>()
  const seen = new Set<string>()
  let [helped, current, type] = ['', '', '']
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help] = HELP.exec(line) ?? []
    const [, typed, kind] = TYPE.exec(line) ?? []
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
    if (help !== undefined) helped = help
    else if (typed !== undefined) {
      if (typed !== helped || seen.has(typed)) throw new Error(`out of order: ${line}`)
      ;[current, type] = [typed, kind!]
      seen.add(typed)
    } else {
      const names = type === 'histogram' ? PARTS.map((part) => `${current}_${part}`) : [current]
      if (name === undefined || !names.includes(name)) throw new Error(`not of ${current}: ${line}`)
      if (type === 'counter' && !name.endsWith('_total')) throw new Error(`a counter ends in _total: ${line}`)
      const key = `${name}${readLabels(labels, line)}`
      if (series.has(key)) throw new Error(`twice: ${line}`)
      series.set(key, Number(value))
    }
  }
  checkHistograms(series)
  return series
}

const PARTS = ['bucket', 'sum', 'count']
const BUCKET = /^(.*)_bucket\{(.*),?le="([^"]+)"\}$/

/** Each bucket has what the ones before it have, the last is the infinite one and has as many as are counted. */
function checkHistograms(series: Series): void {
  let [before, bound, below] = ['', -Infinity, 0]
  for (const [key, value] of series) {
    const [, name, labels, le] = BUCKET.exec(key) ?? []
    if (name === undefined) continue
    const whose = `${name}_count{${labels!.replace(/,$/, '')}}`
    if (whose !== before) [before, bound, below] = [whose, -Infinity, 0]
    const next = le === '+Inf' ? Infinity : Number(le)
    if (!(next > bound) || value < below) throw new Error(`not in order: ${key} ${value}`)
    ;[bound, below] = [next, value]
    if (next === Infinity && series.get(whose) !== value) throw new Error(`not its count: ${key} ${value}`)
  }
}

function readLabels(text: string, line: string): string {
  if (text === '') return ''
  const pairs: string[] = []
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const [, name, escaped] = LABEL.exec(text) ?? []
    if (name === undefined || escaped === undefined) throw new Error(`labels: ${line}`)
    const value = escaped.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character))
    pairs.push(`${name}=${JSON.stringify(value)}`)
  }
  return `{${pairs.join(',')}}`
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readIperf } from '../bench/loads/bulk.ts'
import { readPercentile } from '../bench/loads/latency.ts'
import { readWrk } from '../bench/loads/web.ts'
import type { Sample } from '../bench/measure.ts'
import { parseOptions } from '../bench/options.ts'
import { isUpToDate, readMeasured, requireComparable, withFigures } from '../bench/readme.ts'
import { formatNumber, formatReport } from '../bench/report.ts'
import { type Found, mergeResults, NOTHING, type Run } from '../bench/results.ts'
import { distributionOf, ratiosOf } from '../bench/summary.ts'
import { judge } from '../bench/targets.ts'

const sample = (round: number, leg: string, value: number, metric = 'bulk', run = '1'): Sample => ({
  run,
  round,
  leg,
  metric,
  value,
})

describe('the summary of a benchmark', () => {
  it('takes the middle of an odd number of values and the mean of the middle two of an even one', () => {
    assert.deepEqual(distributionOf([9, 1, 5]), { median: 5, least: 1, most: 9, count: 3 })
    assert.deepEqual(distributionOf([9, 1, 5, 7]), { median: 6, least: 1, most: 9, count: 4 })
    assert.equal(distributionOf([]), undefined)
  })

  it('divides round by round and leaves out rounds in which one side is missing', () => {
    const samples = [
      sample(1, 'a', 6),
      sample(1, 'b', 3),
      sample(2, 'a', 8),
      sample(3, 'a', 9),
      sample(3, 'b', 9),
    ]
    assert.deepEqual(ratiosOf(samples, 'bulk', 'a', 'b'), [2, 1])
    assert.deepEqual(ratiosOf(samples, 'p50', 'a', 'b'), [])
    assert.deepEqual(ratiosOf([sample(1, 'a', 6), sample(1, 'b', 3, 'bulk', '2')], 'bulk', 'a', 'b'), [])
  })

  it('judges by the median ratio, and only what was measured', () => {
    const rounds = [2.1, 2.3, 2.2].flatMap((ratio, i) => [
      sample(i, 'onehop', ratio * 4),
      sample(i, 'haproxy', 4),
    ])
    const verdicts = judge(rounds).map(({ than, isReached }) => ({ than, isReached }))
    assert.deepEqual(verdicts, [{ than: 'haproxy', isReached: true }])
    const slower = rounds.map((each) => (each.leg === 'onehop' ? { ...each, value: each.value * 0.9 } : each))
    assert.equal(judge(slower)[0]?.isReached, false)
  })

  it('judges a latency the other way round', () => {
    const of = (onehop: number) =>
      judge([sample(1, 'onehop', onehop, 'p50'), sample(1, 'haproxy', 60, 'p50')])
    assert.equal(of(48)[0]?.isReached, true)
    assert.equal(of(49)[0]?.isReached, false)
  })

  it('judges what has no other leg to be compared with by itself', () => {
    const of = (percent: number) => judge([sample(1, 'onehop', percent, 'idle')])[0]
    assert.deepEqual([of(1)?.isReached, of(1.1)?.isReached, of(1)?.value.median], [true, false, 1])
  })

  it('tells growth from what differs where nothing grew', () => {
    const of = (grown: number, again: number) =>
      judge([
        ...[sample(1, 'fastpath-1', 100, 'packets'), sample(1, 'fastpath-1m-sources', grown, 'packets')],
        sample(1, 'fastpath-1-again', again, 'packets'),
      ]).map(({ isReached, isNoise }) => ({ isReached, isNoise }))
    assert.deepEqual(of(96, 100), [{ isReached: true, isNoise: false }])
    assert.deepEqual(of(90, 100), [{ isReached: false, isNoise: false }])
    assert.deepEqual(of(90, 89), [{ isReached: false, isNoise: true }])
  })

  it('prints three digits, and thousands apart', () => {
    assert.deepEqual([0.6123, 1, 12.345, 999.4, 9987, 1234567.8].map(formatNumber), [
      '0.612',
      '1',
      '12.3',
      '999',
      '9,987',
      '1,234,568',
    ])
  })
})

const run = (at: string, rounds = 5, processors = 2): Run => {
  const machine = { kernel: '6.1', processor: 'any', processors, memoryGb: 8, node: 'v20.0.0', load: 0 }
  return { at, commit: 'abc', machine, rounds, seconds: 1 }
}
const found = (samples: readonly Sample[], failures: Found['failures'] = []): Found => ({
  ...NOTHING,
  samples,
  failures,
})

describe('the results of several runs', () => {
  const first = mergeResults(
    NOTHING,
    run('1'),
    found(
      [sample(1, 'a', 6), sample(1, 'b', 3), sample(1, 'a', 9, 'p50')],
      [{ run: '1', round: 2, leg: 'b', load: 'bulk', error: 'no' }],
    ),
  )

  it('are those of each leg and metric that was measured last, and of whom they are', () => {
    const { samples, runs, failures } = mergeResults(first, run('2'), found([sample(1, 'b', 4, 'bulk', '2')]))
    assert.deepEqual(
      samples.map((one) => `${one.run} ${one.leg} ${one.metric} ${one.value}`),
      ['1 a bulk 6', '1 a p50 9', '2 b bulk 4'],
    )
    assert.deepEqual([runs.map(({ at }) => at), failures], [['1', '2'], []])
  })

  it('forget a run of which nothing is left', () => {
    const all = first.samples.map((one) => ({ ...one, run: '2' }))
    assert.deepEqual(
      mergeResults(first, run('2'), found(all)).runs.map(({ at }) => at),
      ['2'],
    )
  })

  it('keep the figures of parts that were not measured again', () => {
    const value = { median: 1, least: 1, most: 1, count: 1 }
    const figure = (part: string, of: string) =>
      ({
        run: of,
        part,
        title: part,
        unit: 'ms',
        bound: { kind: 'at most', limit: 1 },
        value,
        isReached: true,
      }) as const
    const before = mergeResults(NOTHING, run('1'), {
      ...NOTHING,
      figures: [figure('engine', '1'), figure('table', '1')],
    })
    const after = mergeResults(before, run('2'), { ...NOTHING, figures: [figure('table', '2')] })
    assert.deepEqual(
      after.figures.map((one) => `${one.run} ${one.part}`),
      ['1 engine', '2 table'],
    )
    assert.match(formatReport(after), /Run 1 abc: engine; run 2 abc: table\./)
  })

  it('stand beside each other only when they are of one machine, and of rounds enough', () => {
    requireComparable([run('1'), run('2')])
    assert.throws(
      () => requireComparable([run('1'), run('2', 5, 4)]),
      /different machines .*2 × any.*4 × any/,
    )
    assert.throws(() => requireComparable([run('1', 4)]), /has 4 rounds; expected 5/)
  })
})

describe("the README's figures", () => {
  it('are those of test/bench/results/measured.json, or: npm run bench -- --readme', () => {
    assert.ok(isUpToDate(readMeasured()))
  })

  it('stand between two marks, and nothing else changes', () => {
    const text =
      'before\n<!-- from test/bench/results/measured.json -->\nfigures of another run\n<!-- until here -->\nafter\n'
    const renewed = withFigures(text, readMeasured())
    assert.match(renewed, /^before\n<!-- from .* -->\n\n\| .*<!-- until here -->\nafter\n$/s)
    assert.doesNotMatch(renewed, /another run/)
    assert.throws(() => withFigures('before\n', readMeasured()), /expected <!-- from/)
  })
})

describe('what the measuring programs print', () => {
  it('is Gbit/s that arrived, for iperf3', () => {
    const end = { sum_sent: { bits_per_second: 9e9 }, sum_received: { bits_per_second: 8.5e9 } }
    assert.equal(readIperf(JSON.stringify({ end })), 8.5)
  })

  it('is a percentile in microseconds, for sockperf', () => {
    const output =
      'sockperf: ---> percentile 99.000 =   79.559\nsockperf: ---> percentile 50.000 =   25.838\n'
    assert.equal(readPercentile(output, '50.000'), 25.838)
    assert.equal(readPercentile(output, '99.000'), 79.559)
    assert.throws(() => readPercentile('sockperf: ERROR: no route', '50.000'), /no percentile 50\.000/)
  })

  it('is requests a second, for wrk', () => {
    assert.equal(readWrk(wrk(52_709)), 17_534.71)
  })

  it('is an error when requests failed, which wrk itself does not mind', () => {
    const errors = '  Socket errors: connect 3, read 50, write 0, timeout 1\n'
    assert.throws(() => readWrk(wrk(52_709, errors)), /54 of 52709 requests failed/)
    assert.throws(() => readWrk(wrk(52_709, '  Non-2xx or 3xx responses: 99\n')), /99 of 52709/)
    assert.throws(() => readWrk(wrk(0)), /0 of 0/)
    assert.equal(readWrk(wrk(1_000_000, errors)), 17_534.71)
  })
})

const wrk = (requests: number, errors = '') =>
  `  ${requests} requests in 3.01s, 4.32MB read\n${errors}Requests/sec:  17534.71\nTransfer/sec:      1.44MB\n`

describe("the benchmark's options", () => {
  it('choose loads and legs, in the order of the report', () => {
    const { loads, legs, engine, rounds } = parseOptions([
      ...['--only', 'latency,bulk', '--legs', 'onehop', '--legs', 'haproxy', '--rounds', '7'],
    ])
    assert.deepEqual(
      loads.map(({ name }) => name),
      ['bulk', 'latency'],
    )
    assert.deepEqual(
      legs.map(({ name }) => name),
      ['onehop', 'haproxy'],
    )
    assert.equal(engine, false)
    assert.equal(rounds, 7)
  })

  it('can choose the engines alone', () => {
    const { loads, engine } = parseOptions(['--only', 'engine'])
    assert.deepEqual(loads, [])
    assert.equal(engine, true)
    const others = parseOptions(['--only', 'growth,effect'])
    assert.deepEqual([others.growth, others.effect, others.engine], [true, true, false])
  })

  it('name what is wrong with them', () => {
    assert.throws(() => parseOptions(['--only', 'bulk,speed']), /--only speed: expected any of bulk, /)
    assert.throws(() => parseOptions(['--legs', 'ipvs']), /--legs ipvs: expected any of wire, /)
    assert.throws(() => parseOptions(['--rounds', '0']), /--rounds 0: expected a whole number/)
  })
})

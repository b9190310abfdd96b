import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Rates, Sort } from '../../src/api/rates.ts'
import { keysIn, press } from '../../src/cli/top/keys.ts'
import { bits, duration, short, sparkline } from '../../src/cli/top/text.ts'
import { fairShares, frameOf, type Look, viewOf } from '../../src/cli/top/view.ts'
import { paintWith } from '../../src/colours.ts'
import { serveSource } from '../support/api.ts'
import { onehop } from '../support/cli.ts'

const LOOK: Look = { sort: 'packets', section: 'all', isPaused: false, isHelp: false }
const way = (packets: number) => ({ packets, bytes: packets * 100 })
const both = (packets: number) => ({ in: way(packets), out: way(packets / 2) })

const many = <Item>(count: number, make: (i: number) => Item) =>
  Array.from({ length: count }, (_, i) => make(i))

function ratesOf(services = 30): Rates {
  return {
    version: '1.2.3',
    tun: 'onehop0',
    upSeconds: 11_520,
    intervalMs: 1_000,
    received: way(4_000),
    history: many(200, (i) => i),
    verdicts: [
      { verdict: 'forward', reason: 'known', ...way(3_000) },
      { verdict: 'drop', reason: 'fragment', ...way(1_000) },
    ],
    table: {
      entries: 1_234_567,
      capacity: 4_000_000,
      probation: 3,
      moved: 0,
      full: 0,
      overQuota: 0,
      expired: 0,
    },
    fastpath: { state: 'on', sources: 12 },
    problems: 0,
    services: { count: services, shown: many(services, (i) => ({ name: `s${i}`, entries: i, ...both(i) })) },
    containers: {
      count: 2,
      states: { ready: 1, draining: 1, down: 0 },
      shown: [
        { name: 'one', state: 'ready', share: 0.75, ...both(3_000) },
        { name: 'two', state: 'draining', share: 0.25, ...both(1_000) },
      ],
    },
    sources: {
      isMeasured: true,
      intervalMs: 2_000,
      shown: [{ source: '198.51.100.7', scope: 'web', container: 'one', ...way(900) }],
    },
  }
}

const textOf = (lines: readonly { readonly text: string }[]) => lines.map(({ text }) => text).join('\n')

describe('the view', () => {
  test('fills every size, and no line is longer than the screen is wide', () => {
    for (const look of [LOOK, { ...LOOK, isHelp: true }, { ...LOOK, section: 'sources' as const }])
      for (const rates of [ratesOf(), undefined])
        for (let columns = 1; columns <= 200; columns += 7)
          for (const rows of [1, 2, 5, 10, 24, 60]) {
            const lines = viewOf(rates, look, { columns, rows })
            assert.equal(lines.length, rows)
            for (const { text } of lines) assert.ok(text.length <= columns, `${columns}: ${text}`)
          }
  })

  test('80 by 24 has room for every section', () => {
    const text = textOf(viewOf(ratesOf(), LOOK, { columns: 80, rows: 24 }))
    for (const wanted of ['up 3h12m', 'SERVICES 30', 'CONTAINERS 1/2', 'HOT SOURCES', 'VERDICTS'])
      assert.ok(text.includes(wanted), `${wanted} in\n${text}`)
    assert.match(text, /^two +draining +25% +1k +500 +800k +400k/m)
    assert.match(text, /^198\.51\.100\.7 +900 +720k +one +web/m)
    assert.match(text, /^drop fragment +1k +800k +25%/m)
    assert.match(text, /^received 4k pkt\/s 3\.2Mbit\/s .*█$/m)
    assert.match(text, /^table 1\.2M of 4M {2}probation 3\/s$/m)
  })

  test('a narrow screen keeps the columns that matter most', () => {
    const text = textOf(viewOf(ratesOf(), LOOK, { columns: 34, rows: 40 }))
    assert.match(text, /^two +draining +25%$/m)
    assert.ok(!text.includes('OUT PKT/S'), text)
  })

  test('no name reaches the terminal as anything but printable ASCII', () => {
    const rates = ratesOf(1)
    const evil = '\x1b]0;owned\x07\x9b2J\u202e\r\n漢'
    Object.assign(rates.services.shown[0]!, { name: evil })
    Object.assign(rates.containers.shown[0]!, { name: evil })
    Object.assign(rates.sources.shown[0]!, { scope: evil, container: evil, source: evil })
    const text = textOf(frameOf({ ...rates, tun: evil }, LOOK, 200))
    assert.ok(text.includes('owned'))
    assert.doesNotMatch(text.replaceAll('\n', ''), /[^\x20-\x7e▁-█…]/u)
  })

  test('a paused screen says so', () => {
    assert.match(textOf(viewOf(ratesOf(), { ...LOOK, isPaused: true }, { columns: 80, rows: 24 })), /PAUSED/)
  })

  test('colours only where they are wanted', () => {
    assert.equal(paintWith(true)('x', 'bad'), '\x1b[31mx\x1b[0m')
    assert.equal(paintWith(false)('x', 'bad'), 'x')
  })
})

test('room is shared: nobody gets more than he wants, and none is left while somebody wants', () => {
  assert.deepEqual(fairShares(10, [30, 2, 1, 30]), [4, 2, 1, 3])
  assert.deepEqual(fairShares(0, [3, 3]), [0, 0])
  assert.deepEqual(fairShares(Number.POSITIVE_INFINITY, [3, 0]), [3, 0])
})

test('numbers are short', () => {
  const numbers = [0, 0.44, 9.96, 12.3, 999.4, 999.6, 1_250, 99_950, 1e6, 2.5e12].map(short)
  assert.deepEqual(numbers, ['0', '0.4', '10', '12', '999', '1k', '1.3k', '100k', '1M', '2.5T'])
  assert.equal(bits(125), '1k')
  assert.deepEqual([0, 59, 60, 3_661, 273_600].map(duration), ['0s', '59s', '1m', '1h1m', '3d4h'])
  assert.equal(sparkline([0, 5, 10], 2), '▅█')
  assert.equal(sparkline([0, 0], 9), '▁▁')
  assert.equal(sparkline([1], 0), '')
})

test('keys, however many come at once', () => {
  assert.deepEqual(keysIn('p\x1b[A\x1bOC\x1b[1;5Dq'), ['p', '\x1b[A', '\x1bOC', '\x1b[1;5D', 'q'])
  assert.equal(press('q', LOOK), undefined)
  assert.equal(press('\x03', LOOK), undefined)
  assert.equal(press('\t', LOOK)!.section, 'services')
  assert.equal(press('\x1b[Z', LOOK)!.section, 'verdicts')
  assert.equal(press('\x1b[C', LOOK)!.sort, 'bytes')
  assert.equal(press('\x1b[D', LOOK)!.sort, 'name')
  assert.equal(press('\x1b[C', press('p', LOOK)!)!.sort, 'packets')
  assert.deepEqual(press('\x1b', LOOK), LOOK)
})

test('--once waits until hot sources are known, asks in the order wanted, and needs no terminal', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-top-'))
  const path = join(folder, 'sock')
  const asked: [Sort, number][] = []
  const api = await serveSource(path, {
    rates: {
      read: async (...question) => {
        asked.push(question)
        const rates = ratesOf()
        return { ...rates, sources: { ...rates.sources, isMeasured: asked.length > 1 } }
      },
    },
  })
  try {
    const once = await onehop('top', '--once', '--sort', 'bytes', '--socket', path)
    assert.equal(once.code, 0, once.stderr)
    assert.match(once.stdout, /^s29 /m)
    assert.ok(!once.stdout.includes('\x1b'))
    assert.deepEqual(asked, [
      ['bytes', 50],
      ['bytes', 50],
    ])
    const json = await onehop('top', '--once', '--json', '--socket', path)
    assert.deepEqual(JSON.parse(json.stdout), JSON.parse(JSON.stringify(ratesOf())))
    const live = await onehop('top', '--socket', path)
    assert.equal(live.code, 2)
    assert.match(live.stderr, /no terminal to show it on; expected one, or --once/)
  } finally {
    await api.close()
    rmSync(folder, { recursive: true })
  }
})

import assert from 'node:assert/strict'
import test from 'node:test'
import { areColoursWanted, paintWith } from '../../src/colours.ts'

test('colours are for a terminal, unless its user says otherwise; NO_COLOR comes first', () => {
  const cases: readonly [env: Record<string, string>, atTerminal: boolean, elsewhere: boolean][] = [
    [{}, true, false],
    [{ TERM: 'dumb' }, false, false],
    [{ NO_COLOR: '1' }, false, false],
    [{ NO_COLOR: '' }, true, false],
    [{ FORCE_COLOR: '1' }, true, true],
    [{ FORCE_COLOR: '0' }, false, false],
    [{ FORCE_COLOR: '', TERM: 'xterm' }, true, false],
    [{ FORCE_COLOR: '3', TERM: 'dumb' }, true, true],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, false, false],
  ]
  for (const [env, atTerminal, elsewhere] of cases)
    assert.deepEqual(
      [areColoursWanted(env, true), areColoursWanted(env, false)],
      [atTerminal, elsewhere],
      JSON.stringify(env),
    )
})

test('what is empty or has no style stays as it is', () => {
  const paint = paintWith(true)
  assert.equal(paint('x', 'good'), '\x1b[32mx\x1b[0m')
  assert.deepEqual([paint('', 'bad'), paint('x', undefined), paintWith(false)('x', 'bad')], ['', 'x', 'x'])
})

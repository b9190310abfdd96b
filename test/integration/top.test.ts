import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import type { Rates } from '../../src/api/rates.ts'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import type { Running } from '../support/lab/running.ts'
import { type Lab, withLab } from '../support/lab.ts'

const SCRIPT = join(import.meta.dirname, '..', 'support', 'terminal.py')
const { url, client } = FAMILIES[0]!

/** What a person sees, as an emulator of terminals (pyte) says. */
interface Seen {
  readonly lines: readonly string[]
  readonly isAlternate: boolean
  readonly isCursorHidden: boolean
  readonly isCooked: boolean
  readonly hasColours: boolean
  readonly exit?: number
}

class Watched {
  readonly running: Running

  constructor({ host }: Lab, daemon: Daemon, [columns, rows]: readonly [number, number], env = {}) {
    const size = [String(columns), String(rows)]
    const program = daemon.commandLine('top')
    this.running = host.start(['/usr/bin/python3', SCRIPT, ...size, ...program], {
      env: { TERM: 'xterm-256color', ...env },
    })
  }

  get seen(): Seen | undefined {
    const last = this.running.lines.at(-1)
    return last === undefined ? undefined : (JSON.parse(last) as Seen)
  }

  do(order: { keys: string } | { resize: readonly [number, number] } | { signal: number }): void {
    this.running.child.stdin!.write(`${JSON.stringify(order)}\n`)
  }

  async until(wanted: RegExp): Promise<Seen> {
    await this.running.until(() => wanted.test(this.seen?.lines.join('\n') ?? ''), String(wanted))
    return this.seen!
  }

  /** The terminal as it was found. */
  async ended(status: number): Promise<Seen> {
    await this.running.exited
    const { isAlternate, isCursorHidden, isCooked, exit } = this.seen!
    assert.deepEqual([isAlternate, isCursorHidden, isCooked, exit], [false, false, true, status])
    return this.seen!
  }
}

/** A request every now and then, until `isOver`. */
async function traffic(lab: Lab, isOver: () => boolean): Promise<void> {
  const agent = await lab.client.agent()
  for (let n = 0; !isOver(); n++) await agent.get(`${url}/`, { from: client(n % 3) })
}

test('onehop top on a terminal: what passes, keys, sizes, and the terminal as it was at every end', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon()
    let isOver = false
    const flowing = traffic(lab, () => isOver)
    try {
      const watched = new Watched(lab, daemon, [80, 24])
      const seen = await watched.until(/forward known +[1-9]/)
      assert.deepEqual([seen.isAlternate, seen.isCursorHidden, seen.isCooked], [true, true, false])
      assert.ok(seen.hasColours)
      await watched.until(new RegExp(`^${client(0)} +[0-9.k]+ `, 'm'))
      assert.match(watched.seen!.lines.join('\n'), /^web +[1-9].*^c1 +ready.*^q quit/ms)

      watched.do({ keys: 'p' })
      await watched.until(/^PAUSED/m)
      watched.do({ keys: 'p?' })
      await watched.until(/^Tab, up, down/m)
      watched.do({ keys: '?\t\t' })
      await watched.until(/Tab containers/)
      assert.ok(!watched.seen!.lines.join('\n').includes('SERVICES'))
      watched.do({ keys: '\x1b[C' })
      await watched.until(/by bytes/)
      watched.do({ resize: [34, 10] })
      const small = await watched.until(/^CONTAINERS 3 +STATE +SHARE$/m)
      assert.equal(small.lines.length, 10)
      assert.match(small.lines[9]!, /^q quit/)
      watched.do({ keys: 'q' })
      await watched.ended(0)

      for (const [order, status] of [
        [{ keys: '\x03' }, 0],
        [{ signal: 15 }, 143],
      ] as const) {
        const other = new Watched(lab, daemon, [80, 24], { NO_COLOR: '1' })
        assert.equal((await other.until(/^web /m)).hasColours, false)
        other.do(order)
        await other.ended(status)
      }
    } finally {
      isOver = true
      await flowing
    }

    const { code, stdout, stderr } = await daemon.ask('top', '--once')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^onehop .*^SERVICES 1 .*^web .*^CONTAINERS 3 .*^HOT SOURCES .*^VERDICTS/ms)
    assert.ok(!stdout.includes('\x1b'))

    const last = new Watched(lab, daemon, [80, 24])
    await last.until(/^web /m)
    await daemon.stop()
    await last.ended(1)
    assert.match(last.seen!.lines.join('\n'), /no daemon answers here/)
  }))

test('rates agree with each other, and name who sends', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon()
    const rates = async () => JSON.parse((await daemon.ask('top', '--once', '--json')).stdout) as Rates
    const quiet = await rates()
    assert.equal(quiet.received.packets, 0)
    assert.deepEqual(quiet.sources, { isMeasured: true, intervalMs: quiet.sources.intervalMs, shown: [] })
    let isOver = false
    const flowing = traffic(lab, () => isOver)
    try {
      let found = await rates()
      while (found.sources.shown.length < 3) found = await rates()
      const { received, containers, services, sources, verdicts } = found
      const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0)
      const counted = sum(verdicts.map(({ packets }) => packets))
      assert.ok(received.packets > 0 && Math.abs(counted - received.packets) < 1)
      const served = sum(containers.shown.map((container) => container.in.packets))
      assert.ok(Math.abs(served - services.shown[0]!.in.packets) < 1)
      assert.ok(Math.abs(sum(containers.shown.map(({ share }) => share)) - 1) < 1e-6)
      assert.deepEqual(sources.shown.map(({ source }) => source).toSorted(), [0, 1, 2].map(client).toSorted())
    } finally {
      isOver = true
      await flowing
    }
    await daemon.stop()
  }))

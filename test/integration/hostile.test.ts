/** What is wrong, however it reaches a daemon at work: it is refused with a reason, changes nothing, and no client notices. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { readConfigBytes } from '../../src/config/load.ts'
import { OnehopError } from '../../src/errors.ts'
import { assertPlain, damages, swaps } from '../support/hostile.ts'
import { Crowd } from '../support/lab/crowd.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { type Lab, withLab } from '../support/lab.ts'
import { Random } from '../support/random.ts'

const CLIENTS = 100
const OF_EACH_KIND = 12
const KNOWN = '192.0.2.77'

const random = Random.fromEnvironment()
const SEED = `ONEHOP_SEED=${random.seed}`

function some<Item>(items: Iterable<Item>, isWanted: (item: Item) => boolean): Item[] {
  const all = [...items]
  const found: Item[] = []
  while (found.length < OF_EACH_KIND) {
    const item = random.pick(all)
    if (isWanted(item)) found.push(item)
  }
  return found
}

function isRefused(bytes: Uint8Array, path: string): boolean {
  try {
    readConfigBytes(bytes, path)
    return false
  } catch (error) {
    assert.ok(error instanceof OnehopError, SEED)
    return true
  }
}

/** Configs that are no configs; some of them too large, too deep, or of a type of their own. */
function wrongConfigs(good: object, path: string): readonly Uint8Array[] {
  const text = JSON.stringify(good, null, 1)
  const swapped = Array.from(swaps(good), ({ value }) => Buffer.from(JSON.stringify(value)))
  const isWrong = (bytes: Uint8Array) => isRefused(bytes, path)
  return [
    ...some(damages(Buffer.from(text), random, 200), isWrong),
    ...some(swapped, isWrong),
    ...['['.repeat(100_000), `a: &a [${'*a,'.repeat(1_000)}]`, 'x'.repeat(17 << 20)].map((one) =>
      Buffer.from(one),
    ),
  ]
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** The daemon closes on who sends too much, which may be before its answer is read. */
const post = (socketPath: string, path: string, body: Uint8Array, type = 'application/octet-stream') =>
  new Promise<Answer>((resolve) => {
    const headers = { 'content-type': type, 'content-length': body.length }
    const asking = request({ socketPath, method: 'POST', path, headers, agent: false }, async (answer) => {
      const parts = await answer.toArray().catch(() => [])
      resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts as Buffer[]).toString() })
    })
    asking.on('error', () => resolve({ status: 413, text: '' }))
    asking.end(body)
  })

/** Everything that a refusal must leave as it was. */
async function inForce(daemon: Daemon) {
  const { config, services, sources, problems, table } = await daemon.status<Status>()
  const [containers, pins, known] = await Promise.all([
    daemon.ask('containers', 'list', '--json'),
    daemon.ask('table', 'list', '--pins', '--json'),
    daemon.ask('table', 'get', KNOWN, '--json'),
  ])
  assert.match(known.stdout, /"c2"/)
  return {
    ...{ config, services: services.map(({ name }) => name), sources, problems, moved: table.moved },
    ...{
      containers: containers.stdout,
      pins: pins.stdout,
      known: known.stdout.replace(/"(since|seen)\w*": ?"[^"]*"/g, ''),
    },
  }
}

/** A list that came out right all the same: with another address, say, or only its header. */
const areRows = (bytes: Uint8Array): boolean =>
  /^scope,source,container\s*(web,[\d.]+,c[12]\s*)*$/.test(Buffer.from(bytes).toString().replaceAll('"', ''))

const sayings = (daemon: Daemon) =>
  daemon.log.filter(({ msg }) => msg === 'reloaded' || msg.startsWith('reload refused'))

async function reloadRefused(daemon: Daemon, config: Uint8Array): Promise<void> {
  const before = sayings(daemon).length
  writeFileSync(daemon.configFile, config)
  daemon.running.signal('SIGHUP')
  await daemon.running.until(() => sayings(daemon).length > before, 'an answer to SIGHUP')
  const { msg, error } = sayings(daemon).at(-1)!
  assert.equal(msg, 'reload refused; the config in force stays', SEED)
  assertPlain(String(error).split('\n'), SEED)
}

async function makeKnown(lab: Lab, daemon: Daemon): Promise<Buffer> {
  const file = lab.path('known.csv')
  writeFileSync(file, `scope,source,container\nweb,${KNOWN},c2\n`)
  assert.equal((await daemon.ask('table', 'import', file)).code, 0)
  assert.equal((await daemon.ask('table', 'pin', '192.0.2.78', 'c1', '--service', 'web')).code, 0)
  return readFileSync(file)
}

test('hostile configs, pins, lists, rows and requests are refused by a daemon at work, and no client notices', () =>
  withLab({ containers: 2 }, async (lab) => {
    const folder = lab.path('hostile')
    const [pins, denied] = [lab.path('pins.csv'), lab.path('denied')]
    const base = lab.config()
    const services = [{ ...base.services[0]!, pinsFrom: pins, sources: { denyFrom: denied } }]
    const config = { ...base, services }
    writeFileSync(pins, '198.51.100.0/24,c1\n2001:db8:77::/48,c1,c2\n')
    writeFileSync(denied, '# nobody\n192.0.2.200\n')
    const daemon = lab.launchDaemon({ config }, folder)
    await daemon.untilReady()
    const rows = await makeKnown(lab, daemon)
    const socket = daemon.commandLine('status').at(-1)!
    const crowd = Crowd.start(lab, CLIENTS, 0.25)
    await crowd.until('settling', ({ answers, lost }) => lost === 0 && answers > CLIENTS)
    const before = await inForce(daemon)
    await crowd.next('hostile')

    let refused = 0
    const wrong = wrongConfigs(config, daemon.configFile)
    for (const bytes of wrong) {
      await reloadRefused(daemon, bytes)
      const { status, text } = await post(socket, '/v1/apply?file=new.yaml', bytes)
      assert.ok(status === 400 || status === 413, `${status} ${text} ${SEED}`)
      refused += 2
    }
    assert.deepEqual(await inForce(daemon), before, SEED)

    daemon.writeConfig(config)
    const good = readFileSync(daemon.configFile)
    for (const [file, hostile] of [
      [
        pins,
        [
          '198.51.100.0/24,c1\n198.51.100.0/24',
          ',',
          '\0',
          '10.0.0.0/8,\u001b[2J',
          `10.0.0.0/8,${'x'.repeat(99_999)}`,
        ],
      ],
      [
        denied,
        [
          '10.0.0.1/8',
          '../../etc/passwd',
          '$(reboot)',
          '\u001b]0;x\u0007',
          '::/129',
          `1.1.1.1${'/1'.repeat(9_999)}`,
        ],
      ],
    ] as const) {
      const whole = readFileSync(file)
      for (const text of hostile) {
        writeFileSync(file, text)
        await reloadRefused(daemon, good)
        refused++
      }
      writeFileSync(file, whole)
    }
    assert.deepEqual(await inForce(daemon), before, SEED)

    for (const bytes of damages(rows, random, 10)) {
      if (areRows(bytes)) continue
      const { status } = await post(socket, '/v1/table/import', bytes)
      assert.ok(status >= 400 && status < 500, `${status} ${SEED}`)
      refused++
    }
    const wrongCsv = lab.path('wrong.csv')
    writeFileSync(wrongCsv, `${rows}web,192.0.2.79,c1\n{"scope":{"toString":1}}\nweb,\u001b[2J,c1\n`)
    const { code, stderr } = await daemon.ask('table', 'import', wrongCsv)
    assert.match(stderr, /wrong\.csv:4: .*\n.*wrong\.csv:5: .*\nnothing was imported/)
    assert.equal(code, 1)
    assertPlain(stderr.trimEnd().split('\n'), SEED)
    assert.doesNotMatch((await daemon.ask('table', 'get', '192.0.2.79', '--json')).stdout, /c1/)
    const pin = { service: 'web', source: '192.0.2.80', container: 'c1' }
    for (const { value } of some(swaps(pin), ({ path }) => path.length < 2)) {
      const { status } = await post(
        socket,
        '/v1/table/pin',
        Buffer.from(JSON.stringify(value)),
        'application/json',
      )
      assert.ok(status >= 400 && status < 500, `${status} ${JSON.stringify(value).slice(0, 200)} ${SEED}`)
      refused++
    }
    assert.deepEqual(await inForce(daemon), before, SEED)

    await new Promise((resolve) => setTimeout(resolve, 2_100))
    const phase = await crowd.next('after')
    await crowd.stop()
    console.error(
      `${refused} times refused: ${phase.lost} lost of ${phase.answers + phase.lost}, longest answer ${Math.round(phase.longest)} ms, ${phase.unanswered} newcomers without an answer`,
    )
    assert.deepEqual([phase.lost, phase.unanswered, phase.broken, phase.moved], [0, 0, 0, 0], SEED)
    assert.deepEqual(
      daemon.log.filter(({ msg }) => msg.includes('defect')),
      [],
    )
    const { received, verdicts } = await daemon.status<Status>()
    assert.equal(
      received.packets,
      verdicts.reduce((sum, { packets }) => sum + packets, 0),
    )
    await daemon.stop()
  }))

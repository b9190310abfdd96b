/** No request of the API, however large or slow, delays a packet: a client asks and is answered meanwhile as without. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import test, { after, describe } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { Lab, PUBLIC } from '../support/lab.ts'

const ENTRIES = 1_000_000
const ROUNDS = 4_000
/** Generous: the storm takes processor time from client, container and daemon alike, on a machine that others use. */
const LONGEST_US = 50_000

/** Round trips over UDP: the middle one, 99 %, the longest, in microseconds. */
const ASK = `
import socket, sys, time
source, service, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.bind((source, 0)); asking.connect((service, 53)); asking.settimeout(5)
took = []
for n in range(rounds + 100):
    begun = time.monotonic_ns()
    asking.send(b'x'); asking.recv(2048)
    if n >= 100: took.append((time.monotonic_ns() - begun) / 1000)
took.sort()
print(took[len(took) // 2], took[len(took) * 99 // 100], took[-1])
`

/** Everything at once, until it is killed; says what it has sent when asked to end. */
const STORM = `
import json, os, signal, socket, sys, threading, time
path, over = sys.argv[1], threading.Event()
done = dict.fromkeys(['pages', 'statuses', 'refused', 'dripped', 'events'], 0)
def connect():
    one = socket.socket(socket.AF_UNIX); one.settimeout(20); one.connect(path); return one
def ask(method, target, body=b'', kind='application/json'):
    head = '%s %s HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n' % (method, target)
    if body: head += 'content-type: %s\\r\\ncontent-length: %d\\r\\n' % (kind, len(body))
    with connect() as one:
        one.sendall(head.encode() + b'\\r\\n')
        try: one.sendall(body)
        except OSError: pass
        answer = b''
        while True:
            try: part = one.recv(1 << 20)
            except OSError: return answer
            if not part: return answer
            answer += part
def pages():
    cursor = b'0'
    while not over.is_set():
        answer = ask('POST', '/v1/table/rows', b'{"cursor":%s}' % cursor)
        head = answer.split(b'\\r\\n\\r\\n')[0].lower()
        cursor = next((line.split(b':')[1].strip() for line in head.split(b'\\r\\n') if line.startswith(b'onehop-next')), b'0')
        done['pages'] += b' 200 ' in head[:16]
def statuses():
    while not over.is_set(): done['statuses'] += b' 200 ' in ask('GET', '/v1/status')[:16]
def large():
    while not over.is_set():
        done['refused'] += b' 200 ' not in ask('POST', '/v1/explain', b'x' * 10_000_000)[:16]
        done['refused'] += b' 200 ' not in ask('POST', '/v1/table/import', b'x' * 10_000_000, 'application/octet-stream')[:16]
def drip():
    while not over.is_set():
        try:
            with connect() as one:
                for byte in b'GET /v1/status HTTP/1.1\\r\\nhost: ' + b'x' * 1000:
                    if over.is_set(): return
                    one.sendall(bytes([byte])); done['dripped'] += 1; time.sleep(0.05)
        except OSError: pass
def listen():
    held = connect(); held.sendall(b'GET /v1/events HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n')
    done['events'] += 1; over.wait()
os.nice(10); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
threads = [threading.Thread(target=one, daemon=True) for one in [pages, pages, statuses, large] + [drip] * 40 + [listen] * 8]
for thread in threads: thread.start()
print('storming', flush=True)
signal.sigwait([signal.SIGTERM]); over.set()
for thread in threads: thread.join(25)
print(json.dumps(done), flush=True)
`

interface RoundTrips {
  readonly p50: number
  readonly p99: number
  readonly longest: number
}

const lab = await Lab.open({ containers: 1 })
after(() => lab.close())
const config = lab.config()
const SOURCE = '198.19.0.9'

async function roundTrips(): Promise<RoundTrips> {
  const text = await lab.client.run(['python3', '-c', ASK, SOURCE, PUBLIC, String(ROUNDS)])
  const [p50, p99, longest] = text.trim().split(' ').map(Number) as [number, number, number]
  return { p50, p99, longest }
}

const inWords = ({ p50, p99, longest }: RoundTrips) =>
  `median ${p50.toFixed(0)} µs, 99 % ${p99.toFixed(0)} µs, longest ${longest.toFixed(0)} µs`

/** A million sources of the service's, none of whom is the one that asks. */
function tableOf(scope: string): string {
  const now = new Date().toISOString().replace(/\.\d+/, '')
  const lines = Array.from({ length: ENTRIES }, (_, i) => {
    const source = `10.${200 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
    return `${scope},${source},c1,assigned,${now},${now},1,60`
  })
  return ['scope,source,container,origin,since,seen,packets,bytes', ...lines, ''].join('\n')
}

for (const fastpath of ['off', 'auto'] as const)
  describe(`fast path ${fastpath}`, () => {
    test('a client is answered in a storm of requests as without, and each of them is answered or refused', async () => {
      const daemon = await lab.startDaemon({
        config: { ...config, dataplane: { fastpath }, store: 'off', table: { capacity: 2 * ENTRIES } },
      })
      after(() => daemon.stop())
      writeFileSync(lab.path('table.csv'), tableOf('web'))
      const { code, stderr } = await daemon.ask('table', 'import', lab.path('table.csv'))
      assert.equal(code, 0, stderr)
      assert.ok((await daemon.status<Status>()).table.entries >= ENTRIES)

      const quiet = await roundTrips()
      const socket = daemon.commandLine('status').at(-1)!
      const storm = lab.host.start(['python3', '-c', STORM, socket])
      await storm.until(({ stdout }) => stdout.includes('storming'), 'begun')
      const stormy = await roundTrips()
      storm.signal('SIGTERM')
      await storm.exited
      const done = JSON.parse(storm.lines.at(-1)!) as Record<string, number>
      console.error(
        `fast path ${fastpath}: ${inWords(quiet)}; in the storm ${inWords(stormy)}; ${JSON.stringify(done)}`,
      )
      for (const [what, times] of Object.entries(done)) assert.ok(times > 0, what)
      assert.ok(stormy.p99 < LONGEST_US, `99 % took up to ${stormy.p99} µs, without the storm ${quiet.p99}`)
      assert.equal((await daemon.status<Status>()).table.entries >= ENTRIES, true)
    })
  })

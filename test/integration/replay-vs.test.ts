/** What `replay --vs` says of a capture of real traffic is what daemons with the two configs then do. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import { onehopCommand } from '../support/lab/daemon.ts'
import { type Lab, UPLINK, withLab } from '../support/lab.ts'

const CLIENTS = 30

test('replay names the clients that go elsewhere when the daemon gets the other config', () =>
  withLab({}, async (lab) => {
    const [a, b] = [lab.config(), lab.config(lab.containers.slice(0, 2))]
    const capture = await lab.capture(lab.host, UPLINK, 'tcp port 80')
    const servedByA = await serveAll(lab, a)
    await capture.stop()
    const servedByB = await serveAll(lab, b)

    const moved = [...servedByA].filter(([client, container]) => servedByB.get(client) !== container)
    assert.ok(moved.length > 0 && moved.length < servedByA.size, `${moved.length} moved`)
    const { code, differences } = await compare(lab, capture.file, a, b)
    assert.equal(code, 1)
    assert.deepEqual(
      new Map(differences.map(({ source, a, b }) => [source, `${a.container} ${b.container}`])),
      new Map(moved.map(([client, container]) => [client, `${container} ${servedByB.get(client)}`])),
    )
  }))

/** Client → the container that answered it, of a new daemon with an empty table. */
async function serveAll(lab: Lab, config: object): Promise<ReadonlyMap<string, string>> {
  const daemon = await lab.startDaemon({ config: { ...config, store: 'off' } })
  const agent = await lab.client.agent()
  const served = new Map<string, string>()
  for (const { url, client } of FAMILIES)
    for (let n = 0; n < CLIENTS; n++)
      served.set(client(n), (await agent.who(`${url}/`, { from: client(n) })).container)
  await daemon.stop()
  return served
}

interface Line {
  readonly source: string
  readonly a: { readonly container: string }
  readonly b: { readonly container: string }
}

async function compare(lab: Lab, input: string, a: object, b: object) {
  const [fileA, fileB] = [lab.path('a.json'), lab.path('b.json')]
  writeFileSync(fileA, JSON.stringify(a))
  writeFileSync(fileB, JSON.stringify(b))
  const argv = ['replay', input, '/dev/null', '--config', fileA, '--vs', fileB, '--json']
  const { code, stdout } = await lab.host.attempt([...onehopCommand(), ...argv])
  const lines = stdout.trimEnd().split('\n')
  return { code, differences: lines.slice(0, -1).map((line) => JSON.parse(line) as Line) }
}

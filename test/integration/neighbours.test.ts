import assert from 'node:assert/strict'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, PUBLIC, UPLINK, withLab } from '../support/lab.ts'

const [PRESENT, ABSENT] = [200, 2_000]
/** Of 1,024 that the kernel keeps for all network namespaces together. */
const MOST_TAKEN = 256

const addresses = (first: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `10.77.${first + (n >> 8)}.${n & 255}`)

const service = (name: string, address: string, containers: readonly string[]) => ({
  name,
  addresses: [address],
  ports: ['80/tcp->8080'],
  containers: containers.map((one, n) => ({ name: `${name}-${n}`, address: one })),
})

test("containers that nobody is at do not fill the kernel's table of neighbours, and those there are are found", () =>
  withLab({ containers: 1 }, async (lab) => {
    const present = addresses(64, PRESENT)
    await lab.containers[0]!.namespace.run(['ip', '-batch', '-'], {
      input: present.map((address) => `addr add ${address}/32 dev eth0\n`).join(''),
    })
    const absent = addresses(128, ABSENT)
    const services = [service('present', PUBLIC, present), service('absent', '203.0.113.11', absent)]
    const config = { version: 1, interfaces: { bridges: [BRIDGE], uplinks: [UPLINK] }, services }
    const daemon = await lab.startDaemon({ config })
    await untilTrue(
      async () => (await daemon.status<Status>()).io.neighboursResolved === PRESENT,
      'all that are there are found',
    )
    const neighbours = async (): Promise<readonly { readonly dst: string }[]> =>
      JSON.parse(await lab.host.run(['ip', '-4', '-j', 'neigh', 'show', 'dev', BRIDGE, 'nud', 'all']))
    const isAbsent = new Set(absent)
    const taken = async () => (await neighbours()).filter(({ dst }) => isAbsent.has(dst)).length
    await untilTrue(async () => (await taken()) > 0, 'some that are not there have been asked for')
    assert.ok((await taken()) <= MOST_TAKEN, `${await taken()} entries of neighbours that nobody is at`)
    await daemon.stop()
  }))

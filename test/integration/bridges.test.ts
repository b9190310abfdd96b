import assert from 'node:assert/strict'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { untilTrue } from '../support/lab/until.ts'
import { BRIDGE, clientAddress, PUBLIC, UPLINK, withLab } from '../support/lab.ts'

const MOVED = { name: 'c2', address: '10.78.0.12' }

test('a reload may add a bridge and take one away: frames go straight to containers on it, and answers come back', () =>
  withLab({ containers: 2 }, async (lab) => {
    const [c1, c2] = lab.containers
    await lab.host.script(`
      ip link add br1 type bridge
      ip address add 10.78.0.1/24 dev br1
      ip link set br1 up
      ip link set ${c2!.port} master br1`)
    await c2!.namespace.script(`
      ip address flush dev eth0 scope global
      ip address add ${MOVED.address}/24 dev eth0
      ip route add default via 10.78.0.1`)
    const configFor = (bridges: readonly string[], containers: readonly unknown[]) => ({
      version: 1,
      interfaces: { bridges, uplinks: [UPLINK] },
      services: [{ name: 'web', addresses: [PUBLIC], ports: ['80/tcp->8080'], containers }],
    })
    const one = { name: c1!.name, address: c1!.address }
    const daemon = await lab.startDaemon({ config: configFor([BRIDGE], [one]) })
    const agent = await lab.client.agent()
    const served = async () => {
      const asked = Array.from({ length: 20 }, (_, n) =>
        agent.who(`http://${PUBLIC}/`, { from: clientAddress(n) }),
      )
      return [...new Set((await Promise.all(asked)).map(({ container }) => container))].sort()
    }
    const reload = async (config: unknown, bridges: readonly string[]) => {
      daemon.writeConfig(config)
      daemon.running.signal('SIGHUP')
      await untilTrue(async () => {
        const { bridges: now, io } = await daemon.status<Status>()
        return (
          now.join() === bridges.join() &&
          io.neighboursWanted === bridges.length &&
          io.neighboursResolved === bridges.length
        )
      }, `bridges ${bridges}`)
    }
    assert.deepEqual(await served(), ['c1'])
    await reload(configFor([BRIDGE, 'br1'], [{ ...one, weight: 0 }, MOVED]), [BRIDGE, 'br1'])
    assert.deepEqual(await served(), ['c1'], 'they are known to c1')
    await reload(configFor(['br1'], [MOVED]), ['br1'])
    assert.deepEqual(await served(), ['c2'])
    assert.ok(
      !(await lab.host.run(['ip', 'rule'])).includes(`iif ${BRIDGE}`),
      'nothing is left for the other bridge',
    )
    await daemon.stop()
  }))

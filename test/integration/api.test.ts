import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { makeCertificate } from '../support/certificate.ts'
import { onehopCommand } from '../support/lab/daemon.ts'
import { Lab, PUBLIC } from '../support/lab.ts'

const lab = await Lab.open()
after(() => lab.close())
const { cert, key } = makeCertificate()
const file = (name: string, text: string) => {
  writeFileSync(lab.path(name), text, { mode: 0o600 })
  return lab.path(name)
}
const [tokenFile, certFile, keyFile] = [
  file('token', 'a-token-of-thirty-two-characters'),
  file('cert.pem', cert),
  file('key.pem', key),
]
const config = {
  ...lab.config(),
  api: { listen: '0.0.0.0:9465', tokenFile, tls: { cert: certFile, key: keyFile } },
}
const daemon = await lab.startDaemon({ config })
after(() => daemon.stop())

const over = (...argv: readonly string[]) =>
  lab.host.attempt([
    ...[...onehopCommand(), ...argv],
    ...['--api', 'https://127.0.0.1:9465', '--token-file', tokenFile, '--ca', certFile],
  ])

test('the running daemon is asked and told over TCP as on its socket', async () => {
  const agent = await lab.client.agent()
  await agent.who(`http://${PUBLIC}/`)
  const { stdout, stderr, code } = await over('status', '--json')
  assert.deepEqual({ stderr, code }, { stderr: '', code: 0 })
  const { services } = JSON.parse(stdout) as Status
  assert.equal(services[0]!.entries, 1)
  assert.equal((await over('containers', 'drain', 'c1')).code, 0)
  const { containers } = await daemon.status<Status>()
  assert.equal(containers.find(({ name }) => name === 'c1')!.state, 'draining')
})

test('a reload that moves the TCP port is refused', async () => {
  daemon.writeConfig({ ...config, api: { ...config.api, listen: '0.0.0.0:9466' } })
  daemon.running.signal('SIGHUP')
  await daemon.untilLogged(({ msg }) => msg.startsWith('reload refused'), 'refusal')
  assert.equal((await over('status')).code, 0)
})

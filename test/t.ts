import { Lab } from './support/lab.ts'

const lab = await Lab.open({ containers: 1 })
for (let i = 0; i < 3; i++) {
  const t0 = performance.now()
  const d = await lab.startDaemon({ config: lab.config(), isBuilt: true })
  const t1 = performance.now()
  await d.stop('SIGTERM')
  console.log('start', (t1 - t0).toFixed(), 'stop', (performance.now() - t1).toFixed())
  console.log(
    d.running.stdout
      .split('\n')
      .map((l) => l.slice(0, 200))
      .join('\n'),
    d.running.stderr,
  )
}
await lab.close()

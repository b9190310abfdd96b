import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from '../load.ts'
import { processorMsOf, processTree, residentBytesOf } from '../processor.ts'

/** What a way's own processes take while nothing comes. */
export const idleLoad: Load = {
  name: 'idle',
  metrics: [
    { name: 'idle', title: 'processor, idle', unit: '%', better: 'less' },
    { name: 'memory', title: 'memory', unit: 'MB', better: 'less' },
  ],
  tools: [],
  fits: ({ pid }) => pid !== undefined,
  async run(_client, { pid }, seconds) {
    const [before, start] = [processorMsOf(processTree(pid!)), performance.now()]
    await sleep(seconds * 1_000)
    const tree = processTree(pid!)
    const share = (processorMsOf(tree) - before) / (performance.now() - start)
    return [share * 100, residentBytesOf(tree) / 1e6]
  },
}

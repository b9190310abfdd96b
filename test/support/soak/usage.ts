import { readdirSync, readFileSync } from 'node:fs'

/** What the daemon and its processes hold of the machine. */
export interface Usage {
  readonly daemonBytes: number
  /** The store's process. */
  readonly storeBytes: number
  readonly fds: number
  readonly threads: number
}

/** The daemon and what it has started to stay; what it runs and waits for (`ip`, `nft`) comes later and goes. */
export const processesOf = (pid: number): readonly number[] => [pid, ...childrenOf(pid)]

export function usageOf(pids: readonly number[]): Usage {
  const entries = (folder: string) => sum(pids.map((one) => listed(`/proc/${one}/${folder}`).length))
  return {
    daemonBytes: residentBytes(pids[0]!),
    storeBytes: sum(pids.slice(1).map(residentBytes)),
    fds: entries('fd'),
    threads: entries('task'),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

/** A thread may end meanwhile. */
function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const childrenOf = (pid: number): readonly number[] =>
  listed(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  )

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024

import { join } from 'node:path'
import { runPython } from './scapy.ts'

const SCRIPTS = join(import.meta.dirname, 'vectors')

/** `SEED=123 npm test -- oracle` repeats a run. */
export const seed = process.env.SEED ?? String(Math.floor(Math.random() * 2 ** 32))

/**
 * Makes a case (test/vectors) in a new folder: random requests, answers and errors, and what the kernel's NAT made of
 * them. Returns how many packets those are.
 */
export async function askKernel(folder: string, flows: number): Promise<number> {
  await runPython(join(SCRIPTS, 'oracle.py'), [seed, String(flows), folder], { network: true })
  return flows + flows / 2 + 3 * (flows / 4)
}

/** Sends the case's packets through a running onehop, between processes in the client's and the container's namespaces. */
export const sendThrough = (
  folder: string,
  out: string,
  ends: readonly [client: number, host: number, container: number],
): Promise<string> =>
  runPython(join(SCRIPTS, 'wire.py'), [folder, out, ...ends.map(String)], { network: true })

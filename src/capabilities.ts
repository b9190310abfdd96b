import { readFileSync } from 'node:fs'

/** Bit numbers of capabilities(7). */
export const CAP_NET_ADMIN = 12
export const CAP_NET_RAW = 13
export const CAP_SYS_ADMIN = 21
export const CAP_BPF = 39

/** Whether this process's effective set has it. */
export function hasCapability(bit: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n
}

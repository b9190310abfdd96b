import assert from 'node:assert/strict'
import type { Namespace } from './namespace.ts'

export interface PingOptions {
  /** How many echo requests; 3 unless said. */
  readonly count?: number
  /** The source address; by default the kernel chooses. */
  readonly from?: string
  /** Bytes of data in each; 56 unless said. */
  readonly bytes?: number
}

/**
 * ping gives an answer up after its interval or twice the longest round trip, whichever is longer. With 10 ms between
 * requests, answers that a busy machine delays look lost.
 */
const PATIENCE_SECONDS = 10

/** Sends echo requests all at once. Each must be answered, once, and from the address that was asked. */
export async function ping(namespace: Namespace, address: string, options: PingOptions = {}): Promise<void> {
  const { count = 3, from, bytes = 56 } = options
  const source = from === undefined ? [] : ['-I', from]
  const burst = ['-c', count, '-l', count, '-i', PATIENCE_SECONDS, '-s', bytes].map(String)
  const text = await namespace.run(['ping', '-n', ...burst, ...source, address])
  assert.match(text, new RegExp(`${count} packets transmitted, ${count} received, 0% packet loss`))
  const answers = text.split('\n').filter((line) => line.includes('icmp_seq'))
  assert.equal(answers.length, count, text)
  for (const line of answers) assert.ok(line.includes(`from ${address}:`), line)
}

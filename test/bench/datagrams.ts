import { join } from 'node:path'
import type { Namespace } from '../support/lab/namespace.ts'

/** Built with the addon: native/bench/datagrams.cc tells what it does and prints. */
export const DATAGRAMS = join(import.meta.dirname, '../../native/build/Release/datagrams')

/** Whom datagrams come from. */
export interface Sources {
  readonly first: string
  readonly count: number
}

export interface Sent {
  readonly sent: number
  readonly delivered: number
  readonly seconds: number
}

export interface SendOptions {
  readonly seconds: number
  /** Packets a second; as many as go unless said. */
  readonly rate?: number
  /** The client's own address unless said. */
  readonly sources?: Sources
}

const GRACE_MS = 15_000

export async function sendDatagrams(
  client: Namespace,
  address: string,
  port: number,
  { seconds, rate = 0, sources }: SendOptions,
): Promise<Sent> {
  const from = sources === undefined ? [] : [sources.first, sources.count]
  const words = [DATAGRAMS, 'send', address, port, seconds, rate, ...from].map(String)
  return JSON.parse(await client.run(words, { timeoutMs: seconds * 1_000 + GRACE_MS })) as Sent
}

/** One from each source, in their order. */
export async function sendFromEach(
  client: Namespace,
  address: string,
  port: number,
  { first, count }: Sources,
): Promise<Sent> {
  const words = [DATAGRAMS, 'send', address, port, 0, 0, first, -count].map(String)
  return JSON.parse(await client.run(words)) as Sent
}

/** What has arrived since somebody asked last; times on the monotonic clock. */
export interface Arrived {
  readonly count: number
  readonly firstNs: number
  readonly lastNs: number
}

export const askSink = async (from: Namespace, address: string, port: number): Promise<Arrived> =>
  JSON.parse(await from.run([DATAGRAMS, 'ask', address, String(port)])) as Arrived

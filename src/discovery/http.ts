import type { IncomingMessage } from 'node:http'

/** What answers over HTTP have in common, whoever gives them: whatever grows is bounded. */

/** The whole answer as text; rejects with `tooLarge` beyond `mostBytes`. */
export async function readBody(
  answer: IncomingMessage,
  mostBytes: number,
  tooLarge: string,
): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > mostBytes) throw new Error(tooLarge)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The lines of an answer that goes on, as they end; throws `tooLong` for one beyond `mostCharacters`. */
export async function* readLines(
  answer: IncomingMessage,
  mostCharacters: number,
  tooLong: string,
): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of answer.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    if (rest.length > mostCharacters) throw new Error(tooLong)
    yield* lines
  }
}

/** Undefined for what is no JSON. */
export function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a request ended because AbortSignal.timeout ran out. */
export const isTimeout = ({ name, cause }: Error): boolean =>
  name === 'TimeoutError' || (cause as Error | undefined)?.name === 'TimeoutError'

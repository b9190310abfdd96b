export interface SentEvent {
  readonly id: string | undefined
  readonly data: string
}

/** Server-sent events, as far as ours go: one line of data each. Ends with the stream, also when that breaks off. */
export async function* readEvents(stream: AsyncIterable<Buffer>): AsyncGenerator<SentEvent> {
  let id: string | undefined
  for await (const line of linesOf(stream)) {
    if (line.startsWith('id: ')) id = line.slice(4)
    else if (line.startsWith('data: ')) yield { id, data: line.slice(6) }
    else if (line === '') id = undefined
  }
}

/** Whole lines. A daemon that dies breaks a connection off, which says no more than that it has ended. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop()!
      yield* lines
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
  }
}

/**
 * The store's process: all that touches its files. LMDB works in memory that it maps from them, so a damaged file or a
 * disk that fails can end a process without a word; here that ends this one, and packets go on.
 */
import { StoreFault, StoreFiles } from './files.ts'
import type { Answer, Request } from './messages.ts'

process.umask(0o077)
// A terminal's ^C goes to everyone in it; the daemon says when to end, by ending the channel.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit())

const folder = process.argv[2]!
let files: StoreFiles | undefined

process.on('message', (request: Request) => {
  handle(request)
    .then(() => answer({ kind: 'done' }))
    .catch(async (error: unknown) => {
      await answer({ kind: 'failed', message: explain(error), isFault: error instanceof StoreFault })
      process.exit(1)
    })
})

async function handle(request: Request): Promise<void> {
  files ??= new StoreFiles(folder)
  switch (request.kind) {
    case 'read':
      for (const record of files.records()) await answer({ kind: 'record', record })
      return
    case 'begin':
      return files.begin(request.isAfresh)
    case 'append':
      return files.append(request.record)
    case 'complete':
      return files.complete()
  }
}

/** Resolves when it is on its way, so that no more than one record waits here. */
const answer = (message: Answer): Promise<void> =>
  new Promise((resolve) => {
    process.send!(message, () => resolve())
  })

function explain(error: unknown): string {
  if (error instanceof StoreFault) return error.message
  const { code, message } = error as NodeJS.ErrnoException
  return `${folder}: ${typeof code === 'string' && !message.includes(code) ? `${code}: ` : ''}${message}`
}

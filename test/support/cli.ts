import { Writable } from 'node:stream'
import { runCli } from '../../src/cli/program.ts'

/** What one command line printed and returned. */
export interface CliRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line in this process. */
export async function onehop(...argv: readonly string[]): Promise<CliRun> {
  const stdout = new TextSink()
  const stderr = new TextSink()
  const code = await runCli({ argv, env: {}, stdout, stderr })
  return { code, stdout: stdout.text, stderr: stderr.text }
}

class TextSink extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

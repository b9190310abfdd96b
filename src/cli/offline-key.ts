import type { Config } from '../config/config.ts'
import { type CliContext, print } from './context.ts'

const KEY_BYTES = 16

/** The key that a config has; what stands for one that a daemon would keep in its state directory is zeros. */
export const keyOf = ({ key }: Config): Uint8Array =>
  key === undefined ? new Uint8Array(KEY_BYTES) : Buffer.from(key, 'hex')

export async function noteKey({ stderr }: CliContext): Promise<void> {
  const note =
    'the config has no key: unknown sources are spread by a key of zeros, not as by a daemon with its own'
  await print(stderr, `onehop: ${note}\n`)
}

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Debian's python3, the one that python3-scapy belongs to, whatever else is first in PATH. */
const PYTHON = '/usr/bin/python3'

/**
 * Runs a Python script to its end; throws with what it wrote to stderr. `network`: it makes network namespaces, which
 * needs root, or else a user namespace in which it is root.
 */
export async function runPython(
  script: string,
  argv: readonly string[],
  { network }: { readonly network: boolean },
): Promise<string> {
  const command = [PYTHON, script, ...argv]
  const isRoot = process.getuid?.() === 0
  const [file, ...rest] = network && !isRoot ? ['unshare', '--user', '--map-root-user', ...command] : command
  const { stdout } = await promisify(execFile)(file!, rest, { maxBuffer: 1 << 24 })
  return stdout
}

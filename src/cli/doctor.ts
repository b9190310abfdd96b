import { closeSync, constants, openSync } from 'node:fs'
import type { Command } from 'commander'
import { CAP_NET_ADMIN, CAP_NET_RAW, hasCapability } from '../capabilities.ts'
import { CONFIG_DEFAULTS } from '../config/defaults.ts'
import type { Addon } from '../dataplane/addon.ts'
import { tryCommand } from '../network/command.ts'
import { type Finding, findNetwork } from '../network/findings.ts'
import { type NetworkIntent, networkIntent } from '../network/network.ts'
import { addConfigOptions, type ConfigOptions } from './config-options.ts'
import { type CliContext, print } from './context.ts'
import { loadModule } from './load-module.ts'
import { addRunDirOption, isConfigGiven, type RunDirOptions } from './network-options.ts'
import { readConfig } from './read-config.ts'
import { formatRows } from './sections.ts'

interface DoctorOptions extends ConfigOptions, RunDirOptions {
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop doctor
  onehop doctor --config /etc/onehop.yaml
  onehop doctor --config /etc/onehop.yaml --json

Changes nothing. Exits with 1 when there is a problem. Without root it says what it could not see.`

export function addDoctorCommand(program: Command, context: CliContext): void {
  addRunDirOption(
    addConfigOptions(program.command('doctor').description('say what this host lacks, and how to mend it')),
  )
    .option('--json', 'as JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: DoctorOptions) => diagnose(options, context))
}

async function diagnose(options: DoctorOptions, context: CliContext): Promise<void> {
  const intent = isConfigGiven(options) ? networkIntent(readConfig(options).config) : undefined
  const tun = intent?.tun ?? options.tun ?? CONFIG_DEFAULTS.tun
  const findings = [
    nodeFinding(process.versions.node),
    tunFinding(),
    capabilityFinding('CAP_NET_ADMIN', CAP_NET_ADMIN),
    capabilityFinding('CAP_NET_RAW', CAP_NET_RAW),
    ...(await addonFindings()),
    await bpfFinding(options.runDir),
    ...(await programFindings(tun, options.runDir, intent)),
  ]
  await print(context.stdout, options.json ? `${JSON.stringify(findings, null, 2)}\n` : format(findings))
  if (findings.some(({ state }) => state === 'problem')) context.exitCode = 1
}

const format = (findings: readonly Finding[]): string =>
  formatRows(
    findings.map(({ state, need, found, remedy }) => [
      state,
      need,
      remedy === undefined ? found : `${found} -> ${remedy}`,
    ]),
  )

const OLDEST_NODE = 20

function nodeFinding(version: string): Finding {
  const isNew = Number(version.split('.')[0]) >= OLDEST_NODE
  return isNew
    ? { need: 'node', state: 'ok', found: version }
    : { need: 'node', state: 'problem', found: version, remedy: `install Node.js ${OLDEST_NODE} or newer` }
}

const TUN_DEVICE = '/dev/net/tun'

const TUN_REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'modprobe tun (in a container: --device /dev/net/tun)',
  ENODEV: 'modprobe tun',
  EACCES: 'run this as root',
  EPERM: 'run this as root (in a container: --device /dev/net/tun)',
}

function tunFinding(): Finding {
  try {
    closeSync(openSync(TUN_DEVICE, constants.O_RDWR))
    return { need: TUN_DEVICE, state: 'ok', found: 'opens' }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
    const remedy = TUN_REMEDIES[code] ?? 'see open(2)'
    return { need: TUN_DEVICE, state: 'problem', found: `open: ${code}`, remedy }
  }
}

function capabilityFinding(need: string, bit: number): Finding {
  if (hasCapability(bit)) return { need, state: 'ok', found: 'effective' }
  return { need, state: 'problem', found: 'not effective', remedy: 'run this as root, or grant it' }
}

async function addonFindings(): Promise<readonly Finding[]> {
  try {
    const { loadAddon } = await loadModule('../dataplane/addon.ts')
    const addon = (loadAddon as () => Addon)()
    return [{ need: 'native addon', state: 'ok', found: 'loads' }, fastPathFinding(addon)]
  } catch (error) {
    // The loader's message says how to mend it, too.
    return [{ need: 'native addon', state: 'problem', found: String((error as Error).message) }]
  }
}

/** Without it everything is served, only slower. */
function fastPathFinding(addon: Addon): Finding {
  const problem = addon.fastPathProblem()
  return problem === undefined
    ? { need: 'fast path', state: 'ok', found: 'loads' }
    : { need: 'fast path', state: 'note', found: problem }
}

/** Without one a daemon that dies leaves nobody to serve at full speed to the next one; it mounts one where it may. */
async function bpfFinding(runDir: string): Promise<Finding> {
  const { bpfFileSystem, canMount } = (await loadModule('../handover/place.ts')) as {
    bpfFileSystem: (runDir: string) => string | undefined
    canMount: () => boolean
  }
  const need = 'bpf file system'
  const path = bpfFileSystem(runDir)
  if (path !== undefined) return { need, state: 'ok', found: path }
  if (canMount()) return { need, state: 'ok', found: `none; onehop run mounts one in ${runDir}` }
  const remedy = `mount -t bpf bpf ${runDir}/bpf, and make it writable`
  return { need, state: 'note', found: 'none that can be written to', remedy }
}

/** ip and nft; and, when both work, all that is seen through them. */
async function programFindings(
  tun: string,
  runDir: string,
  intent: NetworkIntent | undefined,
): Promise<readonly Finding[]> {
  const programs = await Promise.all([programFinding('ip', '-V'), programFinding('nft', '-v')])
  if (programs.some(({ state }) => state === 'problem')) return programs
  return [...programs, ...(await networkFindings(tun, runDir, intent))]
}

async function programFinding(program: string, flag: string): Promise<Finding> {
  try {
    const { code, stdout, stderr } = await tryCommand({ argv: [program, flag] })
    const [line = ''] = (stdout || stderr).split('\n')
    return code === 0
      ? { need: program, state: 'ok', found: line }
      : { need: program, state: 'problem', found: line, remedy: `reinstall ${program}` }
  } catch (error) {
    const [found, remedy] = (error as Error).message.split('; ') as [string, string]
    return { need: program, state: 'problem', found, remedy }
  }
}

async function networkFindings(
  tun: string,
  runDir: string,
  intent: NetworkIntent | undefined,
): Promise<readonly Finding[]> {
  try {
    return await findNetwork(tun, runDir, intent)
  } catch (error) {
    return [{ need: 'network', state: 'problem', found: (error as Error).message }]
  }
}

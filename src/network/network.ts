import { closeSync, openSync } from 'node:fs'
import type { Address, Prefix } from '../address.ts'
import { aliasProblems } from '../config/hairpin.ts'
import { OnehopError } from '../errors.ts'
import { applyStep, formatStep } from './apply.ts'
import { runCommand } from './command.ts'
import { findConflicts, findUnusable } from './conflicts.ts'
import { filterScript, wantedFilter } from './filter.ts'
import { type Host, readAddresses, readHost } from './host.ts'
import type { NetworkIntent } from './intent.ts'
import { withNetworkLock } from './lock.ts'
import { numbersOf } from './numbers.ts'
import { type NetworkReport, reportSetup } from './report.ts'
import { EMPTY_SETUP, resolveUplinks, type Setup, standingSetup, wantedSetup } from './setup.ts'
import { localSources } from './sources.ts'
import { type Step, steps } from './transition.ts'

export { type NetworkIntent, networkIntent } from './intent.ts'
export type { NetworkReport } from './report.ts'

export interface NetworkOptions {
  /** Where the journals are: /run/onehop. */
  readonly runDir: string
}

/**
 * Makes exactly the intent stand, whatever an earlier or interrupted call left. Throws OnehopError E_NETWORK
 * with the host as it was before the call: when something stands in the way, before anything is changed;
 * when a step fails, after undoing those before it. Returns what was missing, as commands.
 */
export async function bringUp(intent: NetworkIntent, { runDir }: NetworkOptions): Promise<readonly string[]> {
  return await withNetworkLock(async () => {
    const host = await readHost(intent.tun, runDir)
    requirePermission(host)
    requireTunDevice()
    requireFeasible(intent, host)
    const standing = standingSetup(intent.tun, host)
    try {
      const missing = steps(intent.tun, standing, wantedSetup(intent, host), host)
      await applyAll(missing, runDir)
      return missing.filter(({ kind }) => kind !== 'journal').map((step) => formatStep(step, runDir))
    } catch (error) {
      await returnTo(standing, intent.tun, runDir)
      throw error
    }
  })
}

/**
 * Goes from an intent that stands to one that has other containers, by the nft sets' differences alone: a few milliseconds
 * where the whole host takes a hundred to read. False, and nothing is done, when the intents differ in anything else.
 */
export async function moveContainers(from: NetworkIntent, to: NetworkIntent): Promise<boolean> {
  if (frameOf(from) !== frameOf(to)) return false
  const script = filterScript(from.tun, numbersOf(from.tun), wantedFilter(from, []), wantedFilter(to, []))
  if (script !== undefined) await runCommand({ argv: ['nft', '-f', '-'], input: script })
  return true
}

const frameOf = ({ endpoints, wholeContainers, containers, ...frame }: NetworkIntent): string =>
  JSON.stringify(frame)

function requirePermission({ mayAdminister }: Host): void {
  if (mayAdminister) return
  throw new OnehopError('E_NETWORK', 'not permitted to change the network; expected root, or CAP_NET_ADMIN')
}

const TUN_DEVICE = '/dev/net/tun'

/** Where it is missing, `ip` says no more than `open: No such file or directory`. */
function requireTunDevice(): void {
  try {
    closeSync(openSync(TUN_DEVICE, 'r+'))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const message = `open ${TUN_DEVICE}: ${code}; expected the TUN device (modprobe tun; in a container: --device ${TUN_DEVICE})`
    throw new OnehopError('E_NETWORK', message, { cause })
  }
}

function requireFeasible(intent: NetworkIntent, host: Host): void {
  const conflicts = findConflicts(intent, host)
  if (conflicts.length > 0) throw new OnehopError('E_NETWORK', conflicts.join('\n'))
}

/** Throws OnehopError E_NETWORK when something stands in the way of an intent; changes nothing. */
export async function checkFeasible(intent: NetworkIntent, { runDir }: NetworkOptions): Promise<void> {
  requireFeasible(intent, await readHost(intent.tun, runDir))
}

/** Public addresses that this host or another program has or routes already, and what is wrong with each. */
export async function unusableAddresses(
  intent: NetworkIntent,
  { runDir }: NetworkOptions,
): Promise<ReadonlyMap<Address, string>> {
  return findUnusable(intent, await readHost(intent.tun, runDir))
}

async function applyAll(all: readonly Step[], runDir: string): Promise<void> {
  for (const step of all) await applyStep(step, runDir)
}

/** What failed, everything else is done; but a journal is not forgotten while something of it is left. */
async function applyWhatGoes(all: readonly Step[], runDir: string): Promise<readonly unknown[]> {
  const errors: unknown[] = []
  for (const step of all) {
    const forgets = step.kind === 'journal' && step.journal === undefined
    if (forgets && errors.length > 0) continue
    await applyStep(step, runDir).catch((error: unknown) => errors.push(error))
  }
  return errors
}

/** The first error stays the one that is told: a step back that fails has the same cause. */
async function returnTo(setup: Setup, tun: string, runDir: string): Promise<void> {
  const host = await readHost(tun, runDir)
  await applyWhatGoes(steps(tun, standingSetup(tun, host), setup, host), runDir)
}

/**
 * Takes away everything that bringUp made for this TUN, also after a crash in the middle of either. Goes on
 * past what fails; throws OnehopError when something is left.
 */
export async function takeDown(tun: string, { runDir }: NetworkOptions): Promise<void> {
  await withNetworkLock(async () => {
    const errors = await takeAway(tun, runDir)
    // An interface that goes meanwhile takes its routes along, before we do: only what is left now counts.
    const left = errors.length > 0 ? await takeAway(tun, runDir) : []
    if (left.length > 0) throw left[0]
  })
}

async function takeAway(tun: string, runDir: string): Promise<readonly unknown[]> {
  const host = await readHost(tun, runDir)
  requirePermission(host)
  return await applyWhatGoes(steps(tun, standingSetup(tun, host), EMPTY_SETUP, host), runDir)
}

/** Where clients come from: the uplinks that are named, or the interfaces of the default routes. */
export const uplinksOf = async (
  intent: NetworkIntent,
  { runDir }: NetworkOptions,
): Promise<readonly string[]> =>
  intent.uplinks.length > 0 ? intent.uplinks : resolveUplinks(intent, await readHost(intent.tun, runDir))

/**
 * The commands that bringUp would run now, to be read or typed. Needs no privilege, but without one what nft
 * and iptables hold is unknown and taken for nothing. Throws OnehopError like bringUp.
 */
export async function plannedCommands(
  intent: NetworkIntent,
  { runDir }: NetworkOptions,
): Promise<readonly string[]> {
  const host = await readHost(intent.tun, runDir)
  requireFeasible(intent, host)
  const all = steps(intent.tun, standingSetup(intent.tun, host), wantedSetup(intent, host), host)
  return all.map((step) => formatStep(step, runDir))
}

/** The commands that takeDown would run now. */
export async function plannedUndoing(tun: string, { runDir }: NetworkOptions): Promise<readonly string[]> {
  const host = await readHost(tun, runDir)
  return steps(tun, standingSetup(tun, host), EMPTY_SETUP, host).map((step) => formatStep(step, runDir))
}

/** What stands for a TUN and, against an intent, what is missing and what is too much. */
export async function showNetwork(
  tun: string,
  { runDir }: NetworkOptions,
  intent?: NetworkIntent,
): Promise<NetworkReport> {
  const host = await readHost(tun, runDir)
  const standing = standingSetup(tun, host)
  return reportSetup(tun, standing, intent === undefined ? undefined : wantedSetup(intent, host), host)
}

/**
 * Who is local as the data plane must know it. Throws OnehopError E_NETWORK when two of them cannot be told apart by their
 * aliases.
 */
export async function readLocalSources(intent: NetworkIntent): Promise<readonly Prefix[]> {
  const { hairpin } = intent
  if (hairpin === undefined) return []
  const sources = localSources(intent, hairpin.sources === undefined ? await readAddresses() : [])
  const problems = aliasProblems(hairpin, sources)
  if (problems.length > 0)
    throw new OnehopError('E_NETWORK', problems.map(({ message }) => message).join('\n'))
  return sources
}

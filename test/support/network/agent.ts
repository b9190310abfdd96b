/**
 * Runs in a host namespace and does there what the test asks for over IPC: whole calls, and set-ups that end
 * in the middle as a killed process's would.
 */
import { applyStep } from '../../../src/network/apply.ts'
import { type Host, readHost } from '../../../src/network/host.ts'
import type { NetworkIntent } from '../../../src/network/intent.ts'
import { bringUp, plannedCommands, showNetwork, takeDown } from '../../../src/network/network.ts'
import { EMPTY_SETUP, standingSetup, wantedSetup } from '../../../src/network/setup.ts'
import { type Step, steps } from '../../../src/network/transition.ts'

export interface AgentRequest {
  readonly id: number
  readonly call: 'up' | 'down' | 'plan' | 'show' | 'part'
  readonly tun: string
  readonly runDir: string
  readonly intent?: NetworkIntent
  /** `part`: how many changes are made before the end. */
  readonly changes?: number
  /** `part`: whether the kernel is one before 6.17, which has no force_forwarding. */
  readonly isOldKernel?: boolean
}

export type AgentAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly code: string; readonly message: string }

process.on('message', (request: AgentRequest) => {
  answer(request).then((it) => process.send?.(it))
})
process.on('disconnect', () => process.exit())

async function answer(request: AgentRequest): Promise<AgentAnswer> {
  try {
    return { id: request.id, result: (await act(request)) ?? null }
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string }
    return { id: request.id, code, message }
  }
}

function act(request: AgentRequest): Promise<unknown> {
  const { call, tun, intent } = request
  switch (call) {
    case 'up':
      return bringUp(intent!, request)
    case 'down':
      return takeDown(tun, request)
    case 'plan':
      return plannedCommands(intent!, request)
    case 'show':
      return showNetwork(tun, request, intent)
    case 'part':
      return makePart(request)
  }
}

/** Makes the first changes towards the intent (or, without one, towards nothing); resolves to how many there are. */
async function makePart({
  tun,
  runDir,
  intent,
  changes = Infinity,
  isOldKernel,
}: AgentRequest): Promise<number> {
  const host = isOldKernel ? withoutForceForwarding(await readHost(tun, runDir)) : await readHost(tun, runDir)
  const wanted = intent === undefined ? EMPTY_SETUP : wantedSetup(intent, host)
  const all = steps(tun, standingSetup(tun, host), wanted, host).flatMap(singleChanges)
  for (const step of all.slice(0, changes)) await applyStep(step, runDir)
  return all.length
}

/** `ip -batch` may be killed between two lines; nft makes its changes all at once. */
function singleChanges(step: Step): readonly Step[] {
  if (step.kind !== 'command' || !step.command.argv.includes('-batch')) return [step]
  const lines = step.command.input!.trimEnd().split('\n')
  return lines.map((line) => ({ kind: 'command', command: { argv: step.command.argv, input: `${line}\n` } }))
}

const withoutForceForwarding = (host: Host): Host => ({
  ...host,
  sysctls: {
    ...host.sysctls,
    get: (key) => (key.endsWith('/force_forwarding') ? undefined : host.sysctls.get(key)),
  },
})

import { constants } from 'node:os'
import { z } from 'zod'
import type { State } from '../../containers/conditions.ts'
import type { Engine } from './engine.ts'

/** A running container, as far as it matters. */
export interface EngineContainer {
  readonly id: string
  readonly name: string
  /** Changes when it is started anew. */
  readonly pid: number
  readonly state: State
  readonly labels: Readonly<Record<string, string>>
  /** The signal that `docker stop` sends. */
  readonly stopSignal: number
  readonly attachments: readonly Attachment[]
}

/** Its place on one network. Addresses as Docker writes them; empty: none. */
export interface Attachment {
  readonly network: string
  readonly networkId: string
  readonly address: string
  readonly address6: string
}

const text = z.string().nullish()

/** `GET /containers/{id}/json` */
const containerSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Running: z.boolean(),
    Paused: z.boolean().nullish(),
    Restarting: z.boolean().nullish(),
    Pid: z.number().nullish(),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish(), StopSignal: text }),
  NetworkSettings: z.object({
    Networks: z
      .record(z.string(), z.object({ NetworkID: text, IPAddress: text, GlobalIPv6Address: text }).nullable())
      .nullish(),
  }),
})

/** Undefined when it does not run. */
export async function inspectContainer(engine: Engine, id: string): Promise<EngineContainer | undefined> {
  const found = await engine.find(`/containers/${encodeURIComponent(id)}/json`, containerSchema)
  if (found === undefined || !found.State.Running || found.State.Restarting) return undefined
  return {
    id: found.Id,
    name: found.Name.replace(/^\//, ''),
    pid: found.State.Pid ?? 0,
    state: stateOf(found.State),
    labels: found.Config.Labels ?? {},
    stopSignal: signalNumber(found.Config.StopSignal ?? 'SIGTERM'),
    attachments: Object.entries(found.NetworkSettings.Networks ?? {}).map(([network, place]) => ({
      network,
      networkId: place?.NetworkID ?? '',
      address: place?.IPAddress ?? '',
      address6: place?.GlobalIPv6Address ?? '',
    })),
  }
}

/** One whose health check has not passed yet keeps the clients it may have from before, and gets no new ones. */
function stateOf({ Paused, Health }: z.infer<typeof containerSchema>['State']): State {
  if (Paused || Health?.Status === 'unhealthy') return 'down'
  return Health?.Status === 'starting' ? 'draining' : 'ready'
}

/** `SIGTERM`, `TERM` or `15`; what is none of them (`SIGRTMIN+3`) is 0, no signal. */
export function signalNumber(signal: string): number {
  if (/^[0-9]+$/.test(signal)) return Number(signal)
  const name = signal.toUpperCase().replace(/^(?!SIG)/, 'SIG')
  return constants.signals[name as NodeJS.Signals] ?? 0
}

/** `GET /networks/{id}` */
const networkSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: z.string(),
  Options: z.record(z.string(), z.string()).nullish(),
})

export interface EngineNetwork {
  readonly name: string
  readonly driver: string
  /** The Linux bridge, where the driver is `bridge`. */
  readonly bridge: string | undefined
}

export async function inspectNetwork(engine: Engine, id: string): Promise<EngineNetwork | undefined> {
  const found = await engine.find(`/networks/${encodeURIComponent(id)}`, networkSchema)
  if (found === undefined) return undefined
  const named = found.Options?.['com.docker.network.bridge.name']
  return {
    name: found.Name,
    driver: found.Driver,
    bridge: found.Driver === 'bridge' ? named || `br-${found.Id.slice(0, 12)}` : undefined,
  }
}

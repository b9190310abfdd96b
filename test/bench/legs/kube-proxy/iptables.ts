import { PUBLIC } from '../../../support/lab.ts'
import type { Leg } from '../../leg.ts'
import { restoreRules } from './iptables-rules.ts'
import { amidOthers, publicServices } from './service.ts'

/** kube-proxy takes the kind of iptables that its host uses; for Debian 12, as for most since 2020, that is the one over nf_tables. */
export const RESTORE = ['iptables-nft-restore']
const LEGACY_RESTORE = ['iptables-legacy-restore']

interface Setting {
  readonly others?: number
  readonly keepsClients?: boolean
  readonly restore?: readonly string[]
}

const iptables = (
  name: string,
  title: string,
  { others = 0, keepsClients = false, restore = RESTORE }: Setting,
): Leg => ({
  name,
  title,
  tools: ['iptables-nft', 'iptables-legacy'],
  async start(lab, servers) {
    const services = amidOthers(publicServices(lab, servers, keepsClients), others)
    await lab.host.run(restore, { input: restoreRules(services) })
    return {
      address: PUBLIC,
      carries: 'tcp and udp',
      async inspect() {
        const recent = await lab.host.script('cat /proc/net/xt_recent/KUBE-SEP-*')
        if (!recent.includes('src=198.18.0.2')) throw new Error(`${name}: no client was remembered`)
        return undefined
      },
      stop: async () => {},
    }
  },
})

export const iptablesLeg = iptables('iptables', 'kube-proxy, iptables', {})
export const iptables5000Leg = iptables('iptables-5000', 'kube-proxy, iptables, 5,000 services', {
  others: 5_000,
})

/** Not measured unless asked for: what else a cluster may have chosen. */
export const iptablesVariants: readonly Leg[] = [
  iptables('iptables-local', "kube-proxy, iptables, clients' addresses kept", { keepsClients: true }),
  iptables('iptables-legacy', 'kube-proxy, iptables-legacy', { restore: LEGACY_RESTORE }),
  iptables('iptables-legacy-5000', 'kube-proxy, iptables-legacy, 5,000 services', {
    ...{ others: 5_000, restore: LEGACY_RESTORE },
  }),
]

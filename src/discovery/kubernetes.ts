import { hostname } from 'node:os'
import type { KubernetesConfig } from '../config/sources.ts'
import type { Access } from './kubernetes/api-server.ts'
import { readSlices } from './kubernetes/slices.ts'
import { SliceWatch } from './kubernetes/watch.ts'
import { Retrying } from './retrying.ts'
import type { OpenSource } from './source.ts'

/** The endpoints of a Kubernetes Service. */
export const openKubernetes: OpenSource<KubernetesConfig> = (settings, listener) => {
  const filter = { node: nodeName(settings.node), port: settings.port }
  let watch: SliceWatch | undefined
  return new Retrying(
    async (signal, hasWorked) => {
      // Anew each time, for credentials may have changed in their files.
      const access = await loadAccess(settings)
      watch ??= new SliceWatch(settings.namespace ?? access.namespace, settings.service, (slices) => {
        hasWorked()
        listener.list(readSlices(slices, filter))
      })
      return watch.follow(access, signal)
    },
    (error) => listener.fail((error as Error).message),
  )
}

/** A pod learns its node's name by the downward API; on the node itself, kubelet uses the host's name unless told otherwise. */
const nodeName = (node: string | undefined): string | undefined =>
  node === 'local' ? (process.env.NODE_NAME ?? hostname()) : node

async function loadAccess({ kubeconfig, context }: KubernetesConfig): Promise<Access> {
  // Large, and nobody else needs it.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig)
  else if (process.env.KUBERNETES_SERVICE_HOST !== undefined) config.loadFromCluster()
  else config.loadFromDefault()
  if (context !== undefined) config.setCurrentContext(context)
  const server = config.getCurrentCluster()?.server
  if (server === undefined)
    throw new Error(`${kubeconfig ?? 'kubeconfig'}: no cluster for context ${config.getCurrentContext()}`)
  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    options: async () => {
      const options = {}
      await config.applyToHTTPSOptions(options)
      return options
    },
  }
}

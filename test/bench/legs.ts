import type { Leg } from './leg.ts'
import { chainLeg } from './legs/chain.ts'
import { dockerLeg, dockerProxyLeg } from './legs/docker.ts'
import { growthLegs } from './legs/growth.ts'
import { haproxyLeg } from './legs/haproxy.ts'
import { iptables5000Leg, iptablesLeg, iptablesVariants } from './legs/kube-proxy/iptables.ts'
import { nftLeg, nftVariants } from './legs/kube-proxy/nft.ts'
import { nginxLeg } from './legs/nginx.ts'
import { fastPathLeg, onehopLeg, onehopVariants } from './legs/onehop.ts'
import { routingLeg } from './legs/routing.ts'
import { wireLeg } from './legs/wire.ts'

/** In the order of the report's rows. */
export const DEFAULT_LEGS: readonly Leg[] = [
  wireLeg,
  fastPathLeg,
  onehopLeg,
  routingLeg,
  nftLeg,
  iptablesLeg,
  iptables5000Leg,
  dockerLeg,
  dockerProxyLeg,
  haproxyLeg,
  nginxLeg,
  chainLeg,
]

export const LEGS: readonly Leg[] = [
  ...DEFAULT_LEGS,
  ...onehopVariants,
  ...nftVariants,
  ...iptablesVariants,
  ...growthLegs,
]

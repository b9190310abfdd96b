import { join } from 'node:path'

/** Control sockets and what must be undone after a crash: gone after a reboot, as routes and rules are. */
export const RUN_DIR = '/run/onehop'

/** Where the daemon that owns this TUN listens: one daemon a TUN, so one socket a TUN. */
export const socketPathOf = (runDir: string, tun: string): string => join(runDir, `${tun}.sock`)

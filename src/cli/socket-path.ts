/** Where the daemon that owns this TUN listens: one daemon a TUN, so one socket a TUN. */
export const socketPathOf = (tun: string): string => `/run/onehop/${tun}.sock`

import { type Address, addressBytes } from '../address.ts'
import { loadAddon } from './addon.ts'

/**
 * A raw socket for echo requests, on the event loop without keeping it alive; `onReply` gets the 8 bytes after the
 * header of each echo reply that the host receives. Throws E_SYSTEM, which names the capability, when it is not allowed.
 */
export function openEchoSocket(isV6: boolean, onReply: (nonce: Uint8Array) => void) {
  const { EchoSocket } = loadAddon()
  const socket = new EchoSocket(isV6, onReply)
  return {
    send: (address: Address, nonce: Uint8Array) => socket.send(addressBytes(address), nonce),
    close: () => socket.close(),
  }
}

/** Makes requests in the namespace it runs in. test/support/lab/agent.ts is its other end. */
import { serveMethods } from './methods.mjs'
import { connectTcp, download, get, udp, upload } from './requests.mjs'

serveMethods({ get, udp, connect: connectTcp, download, upload })

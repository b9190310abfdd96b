/** Opens a lab, says which processes and which folder it consists of, and then waits to be ended. */
import { Lab } from '../support/lab.ts'

const lab = await Lab.open({ containers: 1 })
const agent = lab.host.start(['sleep', 'infinity'])
const [container] = lab.containers
const pids = [lab.client.pid, lab.host.pid, container!.namespace.pid, container!.server.pid, agent.pid]
console.log(JSON.stringify({ pids, folder: lab.path('') }))

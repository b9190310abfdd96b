import assert from 'node:assert/strict'
import test from 'node:test'
import { configFromFlags, type ServiceFlags } from '../../src/config/flags.ts'
import { parseConfig } from '../../src/config/load.ts'
import { OnehopError } from '../../src/errors.ts'

const GOOD: ServiceFlags = {
  tun: 'onehop0',
  bridge: ['br0'],
  uplink: ['eth0'],
  service: ['203.0.113.10:80/tcp', '[2001:db8::10]:80/tcp'],
  container: ['web-1=10.77.0.11:8080', 'web-1=[fd77::11]:8080', 'web-2=10.77.0.12'],
  queues: '2',
  spin: '100us',
  hairpin: false,
}

function faultsOf(flags: ServiceFlags): string {
  try {
    configFromFlags(flags)
  } catch (error) {
    assert.ok(error instanceof OnehopError, `${error}`)
    assert.equal(error.code, 'E_CONFIG')
    return error.message
  }
  return ''
}

test('makes the config that a file would', () => {
  const file = `
version: 1
interfaces: {tun: onehop0, bridges: [br0], uplinks: [eth0]}
dataplane: {queues: 2, spin: 100us}
hairpin: off
services:
  - name: service
    addresses: [203.0.113.10, "2001:db8::10"]
    ports: [80/tcp]
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11", port: 8080}
      - {name: web-2, address: 10.77.0.12}
`
  assert.deepEqual(configFromFlags(GOOD), parseConfig(file, 'f'))
})

test('takes all, targets, several ports, bare IPv6 and a name', () => {
  const all = configFromFlags({
    ...GOOD,
    name: 'dns',
    service: ['2001:db8::1/all'],
    container: ['a=fd77::1'],
  })
  assert.deepEqual(all.services[0], {
    ...all.services[0],
    name: 'dns',
    addresses: ['20010db8000000000000000000000001'],
    ports: 'all',
  })
  const mapped = {
    ...GOOD,
    service: ['203.0.113.1:80/tcp->8080', '203.0.113.1:53/udp'],
    container: ['a=10.0.0.1'],
  }
  assert.deepEqual(configFromFlags(mapped).services[0]!.ports, [
    { port: 80, protocol: 'tcp', target: 8080 },
    { port: 53, protocol: 'udp', target: 53 },
  ])
})

const FAULTS: readonly (readonly [title: string, flags: ServiceFlags, expected: RegExp])[] = [
  ['nothing', {}, /^--service: missing; .*\n--bridge: missing; .*\n--container: missing; /],
  [
    'no protocol',
    { ...GOOD, service: ['203.0.113.10:80'] },
    /^--service "203\.0\.113\.10:80": expected ADDRESS:PORT/,
  ],
  [
    'no brackets',
    { ...GOOD, service: ['2001:db8::10:80/tcp'] },
    /^--service "2001:db8::10:80\/tcp": expected/,
  ],
  [
    'no address',
    { ...GOOD, service: ['web:80/tcp'] },
    /^--service "web:80\/tcp": .*\("web" is no address\)$/,
  ],
  [
    'a wrong protocol',
    { ...GOOD, service: ['203.0.113.10:80/x'] },
    /^--service 203\.0\.113\.10:80\/x: "80\/x"; expected PORT/,
  ],
  [
    'port 0',
    { ...GOOD, service: ['203.0.113.10:0/tcp'] },
    /^--service 203\.0\.113\.10:0\/tcp: "0\/tcp"; expected ports from/,
  ],
  [
    'a front twice',
    { ...GOOD, service: ['203.0.113.10:80/tcp', '203.0.113.10:80/tcp'], container: ['a=10.0.0.1'] },
    /^--service 203\.0\.113\.10:80\/tcp: 203\.0\.113\.10:80\/tcp given twice, first in --service 203/,
  ],
  [
    'ports that differ',
    { ...GOOD, service: ['203.0.113.10:80/tcp', '203.0.113.11:81/tcp'] },
    /^--service 203\.0\.113\.11:81\/tcp: .* has 81\/tcp, 203\.0\.113\.10 has 80\/tcp; expected the same ports/,
  ],
  [
    'all and a port',
    { ...GOOD, service: ['203.0.113.10/all', '203.0.113.10:81/tcp'], container: ['a=10.0.0.1'] },
    /^--service 203\.0\.113\.10\/all: a list; expected either single ports or all/,
  ],
  [
    'a container without name',
    { ...GOOD, container: ['10.0.0.1'] },
    /^--container "10\.0\.0\.1": expected NAME=ADDRESS/,
  ],
  [
    'a container address twice',
    { ...GOOD, container: ['a=10.0.0.1', 'a=10.0.0.2'] },
    /^--container a=10\.0\.0\.2: container "a" has that family's address already/,
  ],
  [
    'ports of one container that differ',
    { ...GOOD, container: ['a=10.0.0.1:80', 'a=[fd00::1]:81'] },
    /^--container a=\[fd00::1\]:81: container "a" has port 80 in --container a=10\.0\.0\.1:80/,
  ],
  [
    'a container port too large',
    { ...GOOD, container: ['a=10.0.0.1:70000'] },
    /^--container a=10\.0\.0\.1:70000: 70000; expected a whole number/,
  ],
  [
    'a loopback container',
    { ...GOOD, container: ['a=127.0.0.1'] },
    /^--container a=127\.0\.0\.1: "127\.0\.0\.1"; expected an address other than loopback/,
  ],
  [
    'a container of the other family',
    { ...GOOD, service: ['203.0.113.10/all'], container: ['a=fd00::1'] },
    /^--container a=fd00::1: container "a" has no address of its service's family/,
  ],
  [
    'an interface name',
    { ...GOOD, tun: 'a b', bridge: ['a/b'], uplink: ['0123456789abcdef'] },
    /^--tun: "a b"; .*\n--bridge: "a\/b"; .*\n--uplink: "0123456789abcdef"; /,
  ],
  ['queues', { ...GOOD, queues: 'many' }, /^--queues: "many"; expected a whole number from 1 to 16/],
  ['queues out of range', { ...GOOD, queues: '17' }, /^--queues: 17; expected a whole number from 1 to 16/],
  ['a spin', { ...GOOD, spin: '1h' }, /^--spin: "1h"; expected a time such as 50us/],
  ['a service name', { ...GOOD, name: '-' }, /^--name: "-"; expected a name/],
]

for (const [title, flags, expected] of FAULTS)
  test(`names flag and value of ${title}`, () => assert.match(faultsOf(flags), expected))

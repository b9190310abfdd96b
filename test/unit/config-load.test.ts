import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { loadConfig, parseConfig } from '../../src/config/load.ts'
import { OnehopError } from '../../src/errors.ts'

const GOOD = `version: 1
interfaces: {tun: onehop0, bridges: [br0], uplinks: [eth0]}
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080, 443/tcp]
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11", weight: 2}
      - {name: web-2, address: 10.77.0.12, address6: "fd77::12"}
    algorithm: maglev
    affinity: {scope: service, prefix4: 24, prefix6: 64, idle: 1h30m}
    pins: [{source: 198.51.100.0/24, container: web-1}]
    empty: drop
`

/** The message lines of the error that `text` makes. */
function faultsOf(text: string): string[] {
  try {
    parseConfig(text, 'c.yaml')
  } catch (error) {
    assert.ok(error instanceof OnehopError, `${error}`)
    assert.equal(error.code, 'E_CONFIG')
    return error.message.split('\n')
  }
  return []
}

/** GOOD with `from` replaced once; the text must be there, or the test would prove nothing. */
function changed(from: string, to: string): string {
  assert.ok(GOOD.includes(from), from)
  return GOOD.replace(from, to)
}

test('reads every field and fills in what is left out', () => {
  assert.deepEqual(parseConfig(GOOD, 'c.yaml'), {
    version: 1,
    interfaces: { tun: 'onehop0', bridges: ['br0'], uplinks: ['eth0'] },
    key: undefined,
    docker: undefined,
    metrics: undefined,
    api: undefined,
    unserved: 'reject',
    hairpin: {
      alias4: { address: 'f0000000', length: 4 },
      alias6: { address: `4${'0'.repeat(31)}`, length: 3 },
      sources: undefined,
    },
    table: { capacity: 1_000_000, probation: 65_536, flows: 65_536, fragments: 16_384 },
    dataplane: { queues: 1, spinUs: 50, fastpath: 'auto', lingerSeconds: 30, selfCheck: 0 },
    damping: { turns: 5, halfLifeMs: 15_000 },
    decisions: 64e6,
    services: [
      {
        name: 'web',
        addresses: ['cb00710a', '20010db8005300000000000000000010'],
        ports: [
          { port: 80, protocol: 'tcp', target: 8080 },
          { port: 443, protocol: 'tcp', target: 443 },
        ],
        containers: [
          {
            name: 'web-1',
            address: '0a4d000b',
            address6: 'fd770000000000000000000000000011',
            port: undefined,
            weight: 2,
          },
          {
            name: 'web-2',
            address: '0a4d000c',
            address6: 'fd770000000000000000000000000012',
            port: undefined,
            weight: 1,
          },
        ],
        algorithm: 'maglev',
        affinity: { scope: 'service', group: undefined, prefix4: 24, prefix6: 64, idleSeconds: 5400 },
        pins: [{ source: { address: 'c6336400', length: 24 }, containers: ['web-1'] }],
        pinFile: undefined,
        empty: 'drop',
        replies: 'endpoint',
        source: undefined,
        slowStartMs: undefined,
      },
    ],
  })
})

test('takes all for the ports, a quota, 0 for the spin, a key and the sizes', () => {
  const text = `${changed('[80/tcp->8080, 443/tcp]', 'all\n    quota: 7')}
key: "00112233445566778899AABBCCDDEEFF"
unserved: drop
table: {capacity: 134217728, probation: 1, flows: 2, fragments: 3}
dataplane: {queues: 16, spin: 0, fastpath: require, linger: 1m30s, selfCheck: 1000}
damping: {turns: 1, halfLife: 1m30s}
`
  const config = parseConfig(text, 'c.yaml')
  assert.equal(config.services[0]!.ports, 'all')
  assert.equal(config.services[0]!.quota, 7)
  assert.equal(config.key, '00112233445566778899aabbccddeeff')
  assert.equal(config.unserved, 'drop')
  assert.deepEqual(config.table, { capacity: 2 ** 27, probation: 1, flows: 2, fragments: 3 })
  assert.deepEqual(config.dataplane, {
    queues: 16,
    spinUs: 0,
    fastpath: 'require',
    lingerSeconds: 90,
    selfCheck: 1000,
  })
  assert.deepEqual(config.damping, { turns: 1, halfLifeMs: 90_000 })
})

test('reads an algorithm, a slow start and a maximum share', () => {
  const text = changed('maglev', 'least-sources\n    slowStart: 1m30s\n    maximumShare: 34%')
  const [service] = parseConfig(text, 'c.yaml').services
  assert.deepEqual(
    [service!.algorithm, service!.slowStartMs, service!.maximumShare],
    ['least-sources', 90_000, 0.34],
  )
})

test('reads a hairpin with its own aliases and sources, and one that is off', () => {
  const text = `${GOOD}hairpin: {alias4: 100.64.0.0/10, alias6: "5000::/4", sources: [10.77.0.0/16, "fd77::11"]}\n`
  assert.deepEqual(parseConfig(text, 'c.yaml').hairpin, {
    alias4: { address: '64400000', length: 10 },
    alias6: { address: `5${'0'.repeat(31)}`, length: 4 },
    sources: [
      { address: '0a4d0000', length: 16 },
      { address: 'fd770000000000000000000000000011', length: 128 },
    ],
  })
  assert.equal(parseConfig(`${GOOD}hairpin: off\n`, 'c.yaml').hairpin, undefined)
})

test('any is both protocols, and a container with a port of its own has it for both', () => {
  const text = changed('[80/tcp->8080, 443/tcp]', '[53/any->5353]').replace('weight: 2', 'port: 9053')
  const { ports, containers } = parseConfig(text, 'c.yaml').services[0]!
  assert.deepEqual(ports, [{ port: 53, protocol: 'any', target: 5353 }])
  assert.equal(containers[0]!.port, 9053)
})

test('follows anchors, and repeats them as often as needed', () => {
  const services = Array.from(
    { length: 300 },
    (_, i) => `  - {name: s${i}, addresses: [203.0.113.10], ports: [${i + 1}/tcp], containers: *web}\n`,
  ).join('')
  const text = `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.11], ports: all, containers: &web [{name: a, address: 10.0.0.1}]}
${services}`
  const config = parseConfig(text, 'c.yaml')
  assert.equal(config.services.length, 301)
  assert.equal(config.services[300]!.containers[0]!.address, '0a000001')
})

/** What is wrong, the change that makes it so, and the one line that must say it. */
const FAULTS: readonly (readonly [title: string, text: string, expected: string])[] = [
  ['an empty file', '', '1:1: missing; expected a mapping with version'],
  ['no YAML', changed('[br0]', '[br0'), '2:58: not YAML: Flow sequence'],
  ['a tab as indentation', changed('    ports', '\tports'), '6:1: not YAML: '],
  ['a second document', `${GOOD}---\nversion: 1\n`, '14:1: a second document'],
  ['a key given twice', changed('    empty: drop', '    name: web'), '13:5: "name" given twice'],
  [
    'a quota of nothing',
    changed('empty: drop', 'quota: 0'),
    '13:12: services[0].quota: 0; expected a whole number from 1 to 134217728',
  ],
  ['an anchor that is not there', changed('[br0]', '*b'), '2:37: "*b": no anchor'],
  ['another version', changed('version: 1', 'version: "1"'), '1:10: version: "1"; expected 1'],
  ['no version', changed('version: 1\n', ''), '1:1: version: missing; expected 1'],
  ['an unknown key', `${GOOD}unservd: drop\n`, '14:1: unknown key "unservd"; did you mean unserved?'],
  ['an unknown key far from any', `${GOOD}zzz: 1\n`, '14:1: unknown key "zzz"; expected one of version, '],
  ['a key of the prototype', `${GOOD}__proto__: 1\n`, '14:1: unknown key "__proto__"; expected one of '],
  [
    'a swapped letter in a nested key',
    changed('weight: 2', 'wieght: 2'),
    '8:66: services[0].containers[0]: unknown key "wieght"; did you mean weight?',
  ],
  [
    'a list where a mapping belongs',
    changed('{scope', '[{scope').replace('30m}', '30m}]'),
    '11:15: services[0].affinity: a list; expected a mapping with scope',
  ],
  [
    'a missing list',
    changed('    ports: [80/tcp->8080, 443/tcp]\n', ''),
    '4:5: services[0].ports: missing; expected a list such as [80/tcp',
  ],
  [
    'services as a mapping',
    'version: 1\ninterfaces: {bridges: [b]}\nservices: {}\n',
    '3:11: services: a mapping; expected a list of services',
  ],
  [
    'a service that is a word',
    'version: 1\ninterfaces: {bridges: [b]}\nservices: [web]\n',
    '3:12: services[0]: "web"; expected a mapping with name',
  ],
  [
    'a name with a space',
    changed('name: web\n', 'name: my web\n'),
    '4:11: services[0].name: "my web"; expected a name',
  ],
  [
    'a name that is a number',
    changed('name: web\n', 'name: 7\n'),
    '4:11: services[0].name: 7; expected a name',
  ],
  ['no bridge', changed('[br0]', '[]'), '2:37: interfaces.bridges: none; expected at least one bridge'],
  [
    'a long interface name',
    changed('[br0]', '[bridge0123456789]'),
    '2:38: interfaces.bridges[0]: "bridge0123456789"; expected an interface name',
  ],
  [
    'an interface name with a slash',
    changed('onehop0', 'a/b'),
    '2:19: interfaces.tun: "a/b"; expected an interface name',
  ],
  [
    'an interface name of dots',
    changed('onehop0', '..'),
    '2:19: interfaces.tun: ".."; expected an interface name',
  ],
  [
    'a name the kernel would number',
    changed('onehop0', '"tun%d"'),
    '2:19: interfaces.tun: "tun%d"; expected an interface name',
  ],
  [
    'the TUN as bridge',
    changed('[br0]', '[onehop0]'),
    '2:38: interfaces.bridges[0]: "onehop0" given twice, first at interfaces.tun',
  ],
  [
    'an address with a leading zero',
    changed('203.0.113.10', '203.0.113.010'),
    '5:17: services[0].addresses[0]: "203.0.113.010"; expected an IPv4 or IPv6 address',
  ],
  [
    'an address that is a number',
    changed('203.0.113.10', '203.0'),
    '5:17: services[0].addresses[0]: 203; expected an IPv4 or IPv6 address',
  ],
  [
    'a multicast address',
    changed('203.0.113.10', '224.0.0.1'),
    '5:17: services[0].addresses[0]: "224.0.0.1"; expected an address other than multicast',
  ],
  [
    'a link-local container',
    changed('fd77::11', 'fe80::1'),
    '8:54: services[0].containers[0].address6: "fe80::1"; expected an address other than link-local',
  ],
  [
    'a loopback container',
    changed('10.77.0.11', '127.0.0.1'),
    '8:32: services[0].containers[0].address: "127.0.0.1"; expected an address other than loopback',
  ],
  [
    'the unspecified address',
    changed('2001:db8:53::10', '::'),
    '5:31: services[0].addresses[1]: "::"; expected an address other than unspecified',
  ],
  [
    'an IPv4-mapped address',
    changed('2001:db8:53::10', '::ffff:1.2.3.4'),
    '5:31: services[0].addresses[1]: "::ffff:1.2.3.4"; expected an address other than IPv4-mapped',
  ],
  [
    'IPv6 where IPv4 belongs',
    changed('address: 10.77.0.11', 'address: "fd77::1"'),
    '8:32: services[0].containers[0].address: "fd77::1"; expected an IPv4 address (IPv6 goes to address6)',
  ],
  [
    'a protocol that is none',
    changed('443/tcp', '443/tpc'),
    '6:27: services[0].ports[1]: "443/tpc"; expected PORT/tcp, PORT/udp or PORT/any',
  ],
  [
    'port 0',
    changed('443/tcp', '0/tcp'),
    '6:27: services[0].ports[1]: "0/tcp"; expected ports from 1 to 65535',
  ],
  [
    'a target above 65535',
    changed('8080', '65536'),
    '6:13: services[0].ports[0]: "80/tcp->65536"; expected ports from 1 to 65535',
  ],
  [
    'all beside a port',
    changed('443/tcp', 'all'),
    '6:12: services[0].ports: a list; expected either single ports or all',
  ],
  [
    'a port twice',
    changed('443/tcp', '80/tcp'),
    '6:27: services[0].ports[1]: 203.0.113.10:80/tcp given twice, first at services[0].ports[0]',
  ],
  [
    'a group that remembers sources in two ways',
    `${changed('scope: service', 'scope: group, group: g')}  - name: other
    addresses: ["2001:db8:53::10"]
    ports: [22/tcp]
    containers: [{name: c, address6: "fd77::13"}]
    affinity: {scope: group, group: g, prefix4: 24, prefix6: 56}
`,
    '18:62: services[1].affinity.prefix6: 56, but 64 at services[0].affinity.prefix6, and both share entries by group "g"; expected the same',
  ],
  [
    'an address that remembers sources in two ways',
    `${changed('scope: service', 'scope: address')}  - name: other
    addresses: [203.0.113.10]
    ports: [22/tcp]
    containers: [{name: c, address: 10.77.0.13}]
    affinity: {scope: address}
`,
    '18:15: services[1].affinity.prefix4: 32, but 24 at services[0].affinity.prefix4, and both share entries by address 203.0.113.10;',
  ],
  [
    'a port by itself and as any',
    changed('443/tcp', '80/any'),
    '6:27: services[0].ports[1]: 203.0.113.10:80/tcp given twice, first at services[0].ports[0]',
  ],
  [
    'another word for replies',
    `${GOOD}    replies: flows\n`,
    '14:14: services[0].replies: "flows"; expected endpoint or flow',
  ],
  [
    'a hairpin that is neither',
    `${GOOD}hairpin: on\n`,
    '14:10: hairpin: "on"; expected off, or a mapping with alias4',
  ],
  [
    'an alias prefix of the other family',
    `${GOOD}hairpin: {alias4: "4000::/3"}\n`,
    '14:19: hairpin.alias4: "4000::/3"; expected an IPv4 prefix such as 240.0.0.0/4',
  ],
  [
    'a multicast alias prefix',
    `${GOOD}hairpin: {alias4: 224.0.0.0/4}\n`,
    '14:19: hairpin.alias4: "224.0.0.0/4"; expected an address other than multicast',
  ],
  [
    'a source larger than the alias prefix',
    `${GOOD}hairpin: {alias4: 100.64.0.0/10, sources: [10.77.0.0/16, 192.0.0.0/8]}\n`,
    '14:58: hairpin.sources[1]: local source 192.0.0.0/8 is larger than hairpin.alias4 100.64.0.0/10; expected /10 or longer',
  ],
  [
    'two sources with an alias in common',
    `${GOOD}hairpin: {sources: [10.77.0.0/16, "fd77::/64", 26.77.3.4]}\n`,
    '14:48: hairpin.sources[2]: local sources 10.77.0.0/16 and 26.77.3.4/32 have an alias in common (250.77.3.4); expected',
  ],
  [
    'a source within the alias prefix',
    `${GOOD}hairpin: {sources: [10.77.0.0/16, 250.0.0.1]}\n`,
    '14:35: hairpin.sources[1]: local source 250.0.0.1/32 overlaps hairpin.alias4 240.0.0.0/4; expected',
  ],
  [
    'a container within the alias prefix',
    changed('fd77::12', '4000::12'),
    '9:54: services[0].containers[1].address6: 4000::12 is within hairpin.alias6 4000::/3; expected another address',
  ],
  [
    'a public address within the alias prefix',
    changed('203.0.113.10', '240.0.0.10'),
    '5:17: services[0].addresses[0]: 240.0.0.10 is within hairpin.alias4 240.0.0.0/4; expected another address',
  ],
  [
    'a weight above 256',
    changed('weight: 2', 'weight: 257'),
    '8:74: services[0].containers[0].weight: 257; expected a whole number from 0 to 256',
  ],
  [
    'half a weight',
    changed('weight: 2', 'weight: 1.5'),
    '8:74: services[0].containers[0].weight: 1.5; expected a whole number',
  ],
  [
    'a prefix out of range',
    changed('prefix4: 24', 'prefix4: 33'),
    '11:41: services[0].affinity.prefix4: 33; expected a whole number from 1 to 32',
  ],
  [
    'a time without a unit',
    changed('1h30m', '90'),
    '11:64: services[0].affinity.idle: 90; expected a time such as 3h',
  ],
  [
    'a time with a unit twice',
    changed('1h30m', '1h2h'),
    '11:64: services[0].affinity.idle: "1h2h"; expected a time',
  ],
  [
    'a group without scope',
    changed('scope: service', 'group: g'),
    '11:23: services[0].affinity.group: "g" without scope group',
  ],
  [
    'scope group without a group',
    changed('scope: service', 'scope: group'),
    '11:23: services[0].affinity.scope: scope group without a group',
  ],
  [
    'another algorithm',
    changed('maglev', 'random'),
    '10:16: services[0].algorithm: "random"; expected maglev or weighted-round-robin or least-sources or random-two',
  ],
  [
    'a pin to a container and to several',
    changed('container: web-1', 'container: web-1, containers: [web-2]'),
    '12:49: services[0].pins[0].container: "web-1"; expected either container or containers',
  ],
  [
    'a pin to several of whom one is nobody',
    changed('container: web-1', 'containers: [web-1, web-3]'),
    '12:58: services[0].pins[0].containers[1]: "web-3" is no container of service "web"',
  ],
  [
    'a slow start of hours',
    changed('algorithm: maglev', 'slowStart: 2h'),
    '10:16: services[0].slowStart: "2h"; expected a time such as 30s or 5m, from 1s to 1h',
  ],
  [
    'a maximum share of all',
    changed('algorithm: maglev', 'maximumShare: 100%'),
    '10:19: services[0].maximumShare: "100%"; expected a share such as 10%, from 1% to 99%',
  ],
  [
    'a pin to nobody',
    changed('container: web-1', 'container: web-3'),
    '12:49: services[0].pins[0].container: "web-3" is no container of service "web"',
  ],
  [
    'a pin with bits after its length',
    changed('198.51.100.0/24', '198.51.100.7/24'),
    '12:21: services[0].pins[0].source: "198.51.100.7/24"; expected an address or a prefix',
  ],
  [
    'a pin twice',
    changed('container: web-1}]', 'container: web-1}, {source: 198.51.100.0/24, container: web-2}]'),
    '12:66: services[0].pins[1].source: "198.51.100.0/24" given twice',
  ],
  [
    'a container name twice',
    changed('name: web-2', 'name: web-1'),
    '9:16: services[0].containers[1].name: "web-1" given twice, first at services[0].containers[0].name',
  ],
  [
    'two containers on one endpoint',
    changed('10.77.0.12', '10.77.0.11'),
    '9:32: services[0].containers[1].address: 10.77.0.11 with the same port given twice',
  ],
  [
    'a container without address',
    changed(', address: 10.77.0.12, address6: "fd77::12"', ''),
    '9:9: services[0].containers[1]: container "web-2" has no address',
  ],
  [
    'a container of the other family only',
    changed('address: 10.77.0.12, ', '').replace(', "2001:db8:53::10"', ''),
    '9:9: services[0].containers[1]: container "web-2" has no address of its service\'s family; expected address (IPv4)',
  ],
  [
    'a port of its own among several',
    changed('weight: 2', 'port: 80'),
    '8:72: services[0].containers[0].port: 80: which port it stands for is unclear',
  ],
  [
    'a public address of a container',
    changed('203.0.113.10', '10.77.0.12'),
    '5:17: services[0].addresses[0]: 10.77.0.12 is also container "web-2"\'s address',
  ],
  [
    'an address twice in a service',
    changed('"2001:db8:53::10"', '203.0.113.10'),
    '5:31: services[0].addresses[1]: 203.0.113.10 given twice, first at services[0].addresses[0]',
  ],
  [
    'the same way in twice',
    `${GOOD}  - {name: b, addresses: [203.0.113.10], ports: [81/tcp, 443/tcp], containers: []}\n`,
    '14:58: services[1].ports[1]: 203.0.113.10:443/tcp given twice, first at services[0].ports[1]',
  ],
  [
    'all twice on one address',
    `${changed('[80/tcp->8080, 443/tcp]', 'all')}  - {name: b, addresses: ["2001:DB8:53:0::10"], ports: all, containers: []}\n`,
    '14:56: services[1].ports: [2001:db8:53::10]/all given twice, first at services[0].ports',
  ],
  [
    'a service name twice',
    `${GOOD}  - {name: web, addresses: [203.0.113.9], ports: all, containers: []}\n`,
    '14:12: services[1].name: "web" given twice, first at services[0].name',
  ],
  [
    'a container with other addresses elsewhere',
    `${GOOD}  - {name: b, addresses: [203.0.113.9], ports: all, containers: [{name: web-1, address: 10.77.0.9}]}\n`,
    '14:66: services[1].containers[0]: container "web-1" has other addresses at services[0].containers[0]',
  ],
  [
    'a table too large',
    `${GOOD}table: {capacity: 134217729}\n`,
    '14:19: table.capacity: 134217729; expected a whole number from 1 to 134217728',
  ],
  [
    'no queue',
    `${GOOD}dataplane: {queues: 0}\n`,
    '14:21: dataplane.queues: 0; expected a whole number from 1 to 16',
  ],
  [
    'a long spin',
    `${GOOD}dataplane: {spin: 11ms}\n`,
    '14:19: dataplane.spin: "11ms"; expected a time such as 50us',
  ],
  [
    'a short half-life',
    `${GOOD}damping: {halfLife: 1ms}\n`,
    '14:21: damping.halfLife: "1ms"; expected a time such as 15s, from 1s to 1h',
  ],
  [
    'a short linger',
    `${GOOD}dataplane: {linger: 2s}\n`,
    '14:21: dataplane.linger: "2s"; expected a time such as 30s, 3s to 1h',
  ],
  [
    'a key without quotes',
    `${GOOD}key: 00112233445566778899001122334455\n`,
    '14:6: key: 1.122334455667789e+29; expected 32 hexadecimal digits in quotes',
  ],
  ['a short key', `${GOOD}key: "0011"\n`, '14:6: key: "0011"; expected 32 hexadecimal digits'],
]

for (const [title, text, expected] of FAULTS)
  test(`refuses ${title}`, () => {
    const faults = faultsOf(text)
    const wanted = `c.yaml:${expected}`
    assert.ok(
      faults.some((fault) => fault.startsWith(wanted)),
      `expected ${wanted}\n     got ${faults.join('\n         ')}`,
    )
  })

test('says all that is wrong at once, in the order of the file', () => {
  const text = changed('version: 1', 'version: 2')
    .replace('443/tcp', '443')
    .replace('empty: drop', 'empty: x')
  assert.deepEqual(
    faultsOf(text).map((fault) => fault.split(': ')[0]),
    ['c.yaml:1:10', 'c.yaml:6:27', 'c.yaml:13:12'],
  )
})

test('stops listing after twenty and counts the rest', () => {
  const faults = faultsOf(`version: 1\ninterfaces: {bridges: [b]}\nservices: [${'x, '.repeat(5000)}]\n`)
  assert.equal(faults.length, 21)
  assert.equal(faults[20], '… and 4980 more')
})

test('quotes a hostile value without its control characters', () => {
  const [fault] = faultsOf(changed('name: web\n', 'name: "\\e[2Jx\\u202e\\n"\n'))
  assert.match(fault!, /"\\u001b\[2Jx\\u202e\\n"; expected a name/)
})

test('survives what is deeply nested', () => {
  for (const open of ['[', '- ', '{a: ', '? ', ': ', '[? ', '- - ? '])
    assert.match(faultsOf(open.repeat(200_000)).join(), /c\.yaml:1:\d+: nested deeper than/)
})

test('survives aliases that multiply', () => {
  const bomb = Array.from({ length: 14 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`)}]\n`)
  assert.match(faultsOf(`a0: &a0 [x]\n${bomb.join('')}`).join(), /aliases repeat too much/)
  assert.match(faultsOf('a: &a [*a]\n').join(), /aliases repeat too much/)
})

test('loads 10,000 services in a few seconds of processor time', () => {
  const services = Array.from(
    { length: 10_000 },
    (_, i) => `  - name: s${i}
    addresses: [10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}]
    ports: [80/tcp->8080, 443/tcp]
    containers:
      - {name: s${i}-1, address: 10.1.${i >> 8}.${i & 255}}
      - {name: s${i}-2, address: 10.2.${i >> 8}.${i & 255}}
    pins: [{source: 198.51.100.0/24, container: s${i}-1}]
`,
  )
  const start = process.cpuUsage()
  const config = parseConfig(
    `version: 1\ninterfaces: {bridges: [b]}\nservices:\n${services.join('')}`,
    'c.yaml',
  )
  const { user, system } = process.cpuUsage(start)
  const seconds = (user + system) / 1e6
  assert.equal(config.services.length, 10_000)
  assert.ok(seconds < 20, `${seconds.toFixed(1)} s`)
})

test('never throws anything but its own error, wherever a good file is cut', () => {
  for (let length = 0; length < GOOD.length; length++) faultsOf(GOOD.slice(0, length))
})

test('never throws anything but its own error, however a good file is changed', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
  const random = randomFrom(seed)
  const pieces = [
    '[',
    ']',
    '{',
    '}',
    ':',
    '- ',
    '\n',
    '&a ',
    '*a',
    '!!x ',
    '"',
    "'",
    '|',
    '>',
    '%',
    '\0',
    '\t',
    '999999999999',
    '~',
    '\u{1f600}',
    '\ud800',
  ]
  for (let round = 0; round < 3000; round++) {
    let text = GOOD
    for (let change = 0; change <= random(3); change++) {
      const at = random(text.length)
      text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(4))
    }
    assert.doesNotThrow(() => faultsOf(text), `SEED=${seed} round ${round}\n${text}`)
  }
})

/** Numbers below `bound`, the same for the same seed (mulberry32). */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

function inTemporaryFolder(act: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-config-'))
  try {
    act(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('loads a file, and names it in errors', () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'a.yaml')
    writeFileSync(path, GOOD)
    assert.equal(loadConfig(path).services.length, 1)
    writeFileSync(path, changed('version: 1', 'version: 3'))
    assert.throws(() => loadConfig(path), {
      code: 'E_CONFIG',
      message: `${path}:1:10: version: 3; expected 1`,
    })
  }))

test('refuses a file that is not UTF-8, at the byte', () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'a.yaml')
    writeFileSync(path, Buffer.concat([Buffer.from('version: 1\nkey: ä'), Buffer.from([0xff])]))
    assert.throws(() => loadConfig(path), {
      message: `${path}:2:7: a byte that is not UTF-8; expected UTF-8 text`,
    })
  }))

test('refuses a file that has no end, is a folder, or is not there', () =>
  inTemporaryFolder((folder) => {
    assert.throws(() => loadConfig('/dev/zero'), { message: /^\/dev\/zero:1:1: larger than the 16 MiB/ })
    assert.throws(() => loadConfig(folder), { message: `${folder}: read: EISDIR; expected a config file` })
    assert.throws(() => loadConfig(join(folder, 'none')), { code: 'E_CONFIG', message: /: open: ENOENT/ })
  }))

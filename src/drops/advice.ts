import type { ReasonOf } from '../pipeline/verdict.ts'

/** A reason in words: what was wrong with the packet, and what whoever runs onehop can do. */
export interface Advice {
  readonly meaning: string
  readonly remedy: string
}

/** The same for both verdicts: whether the client was told is all that differs. */
type RefusalReason = ReasonOf<'drop'> | Exclude<ReasonOf<'answer'>, 'echo'>

const BROKEN_SENDER = 'Whoever sends it builds packets wrongly, or by hand; the sample says who.'
const LET_IT_BE = 'Nothing, unless many clients are told of: the sample says who sends it.'

export const ADVICE: Readonly<Record<RefusalReason, Advice>> = {
  'short-packet': { meaning: 'It is shorter than its IP header.', remedy: BROKEN_SENDER },
  'bad-version': { meaning: 'It is neither IPv4 nor IPv6.', remedy: BROKEN_SENDER },
  'bad-header-length': {
    meaning: 'Its IPv4 header says a length below 20 bytes, or beyond its end.',
    remedy: BROKEN_SENDER,
  },
  'bad-total-length': {
    meaning: 'Its IP header says that it is longer than what arrived.',
    remedy: `${BROKEN_SENDER} Where it is a container of yours, look for what cuts packets on the way.`,
  },
  jumbogram: {
    meaning: 'It is an IPv6 jumbogram, or says no length at all.',
    remedy: 'No link of this host carries jumbograms: lower the sender’s MTU.',
  },
  'short-transport': {
    meaning:
      'It ends within its extension, TCP, UDP or ICMP header, or is a fragment that starts within one.',
    remedy: 'Fragments like that are made to get past filters: let them be dropped.',
  },
  'bad-offload': {
    meaning: 'The kernel handed it over with an offload header that does not fit it.',
    remedy: 'Turn off tso, gso and tx of the sending container’s link (ethtool -K), and report it.',
  },
  'no-checksum': {
    meaning: 'It is UDP over IPv6 without a checksum, which no receiver takes.',
    remedy: 'Let its sender compute one (RFC 8200 section 8.1).',
  },
  authenticated: {
    meaning: 'It is behind an authentication header: a new address would break that.',
    remedy: 'End AH before onehop, or use ESP, which ports: all forwards.',
  },
  fragment: {
    meaning: 'It is a later fragment that needs a port, and its first was not seen or not forwarded.',
    remedy:
      'Fragments that overtake their first: nothing. Many: raise table.fragments, or mend the path MTU.',
  },
  unsupported: {
    meaning: 'It goes to a public address in a form that onehop does not handle (README, Supported).',
    remedy: 'ports: all forwards protocols other than TCP, UDP and ICMP.',
  },
  'port-closed': {
    meaning: 'It goes to a public address, but no service has the port.',
    remedy:
      'Serve the port if it shall be (services[].ports); most are scanners. unserved: drop leaves them without an answer.',
  },
  'no-container': {
    meaning: 'Its service has no container that can take the source.',
    remedy:
      'onehop containers list says which are down or drained and why; onehop explain SOURCE, for this client.',
  },
  denied: {
    meaning: "Its service's allow and deny lists keep the source out (services[].sources).",
    remedy: 'If it shall be served: onehop explain SOURCE names the prefix.',
  },
  'source-limit': {
    meaning:
      'Nobody knows its source, and that has come to as many services as a source may in so short a time.',
    remedy: 'It may ask again later. If it is no scanner: raise newSources.perSource.',
  },
  'prefix-limit': {
    meaning: 'Nobody knows its source, and too many new ones of its prefix have come in so short a time.',
    remedy:
      'Others of the prefix may be wanted: those who are known stay served. Raise newSources.perPrefix, or deny the prefix (services[].sources).',
  },
  'unknown-flow': {
    meaning: 'A container answers a client of several of its public ends, and of which is forgotten.',
    remedy: 'Raise table.flows, or give services that share an endpoint endpoints of their own.',
  },
  unrelated: {
    meaning: 'It is an ICMP error about nothing that a container sent from this public address.',
    remedy: LET_IT_BE,
  },
  'answer-limit': {
    meaning: 'More ICMP answers were due than are given in a second.',
    remedy: 'Somebody scans UDP ports, or a service has no container: look at port-closed and no-container.',
  },
  'stray-alias': {
    meaning: 'It comes from an alias of a local caller, or goes to one that nobody is called by.',
    remedy: 'If the prefix is in use on your network, take another: hairpin.alias4, hairpin.alias6.',
  },
}

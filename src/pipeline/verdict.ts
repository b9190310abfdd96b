/**
 * What happens to a packet, and why. Every packet gets exactly one verdict, so packets received always
 * equal the sum over this list. Codes are positions in it; native/src/pipeline/verdict.h has the same list
 * in the same order and a test compares the two.
 */
export const VERDICTS = ['forward', 'reply', 'answer', 'pass', 'drop'] as const
export type Verdict = (typeof VERDICTS)[number]

/** `[verdict, reason]` by code. */
export const REASONS = [
  ['forward', 'pinned'], // a pin matched
  ['forward', 'known'], // an entry was found
  ['forward', 'chosen'], // no entry: the algorithm picked
  ['forward', 'unpinned'], // pins cover the source, but none of their containers can take it: the entry or the algorithm
  ['forward', 'quoted'], // an ICMP error about an answer: the quoted packet decides
  ['forward', 'fragment'], // a later fragment: where its first went
  ['reply', 'endpoint'], // the endpoint alone named the public address
  ['reply', 'flow'], // several public addresses share the endpoint: the flow named it
  ['reply', 'quoted'], // an ICMP error about a request
  ['reply', 'fragment'], // a later fragment of an answer
  ['answer', 'echo'], // echo request to a public address
  ['answer', 'port-closed'], // a public address, but no service on that port
  ['answer', 'no-container'], // the service has no container that can take the source
  ['answer', 'denied'], // the service's allow and deny lists keep the source out
  ['pass', 'not-ours'], // neither a public address nor an endpoint
  ['pass', 'unknown-client'], // from an endpoint, to a client that never came through its public address
  ['pass', 'unknown-flow'], // from an endpoint whose flows are remembered, but this one never came through its public address
  ['drop', 'short-packet'], // shorter than its IP header
  ['drop', 'bad-version'], // neither IPv4 nor IPv6
  ['drop', 'bad-header-length'], // IPv4 IHL below 5 or past the packet's end
  ['drop', 'bad-total-length'], // the IP length field disagrees with the bytes received
  ['drop', 'jumbogram'], // IPv6 with its length in a hop-by-hop option (RFC 2675), or with none
  ['drop', 'short-transport'], // ends within its extension, TCP, UDP or ICMP header; as a first fragment, too (RFC 7112), or starts in it (RFC 3128)
  ['drop', 'bad-offload'], // a virtio-net header no kernel would write
  ['drop', 'no-checksum'], // UDP over IPv6 without a checksum
  ['drop', 'authenticated'], // to a public address, behind an authentication header: a new address would break it
  ['drop', 'fragment'], // a later fragment whose port is needed, but whose first was not seen or not forwarded
  ['drop', 'unsupported'], // to a public address, in a form this version does not handle
  ['drop', 'port-closed'],
  ['drop', 'no-container'],
  ['drop', 'denied'],
  ['drop', 'source-limit'], // unknown, and it has taken as many places on probation as a source may (newSources)
  ['drop', 'prefix-limit'], // the same, of its prefix
  ['drop', 'unknown-flow'], // a known client, but its flow was forgotten: which public address is unknown
  ['drop', 'unrelated'], // an ICMP error to a public address about nothing that a container sent from there
  ['drop', 'answer-limit'], // more ICMP answers than allowed in this second
  ['drop', 'stray-alias'], // from an alias, or to one that no local caller is answered by (hairpin.ts)
] as const satisfies readonly (readonly [Verdict, string])[]

export type Reason = (typeof REASONS)[number][1]

/** The reasons that a verdict may have. */
export type ReasonOf<Of extends Verdict> = Extract<(typeof REASONS)[number], readonly [Of, string]>[1]

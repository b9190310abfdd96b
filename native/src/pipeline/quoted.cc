#include "quoted.h"

#include <algorithm>

#include "decide.h"
#include "outcome.h"
#include "rewrite.h"

namespace onehop {

namespace {

// Of ICMP only echo belongs to a flow: an error about an error, say, does not.
bool is_of_flow(const ParsedPacket& quoted, bool (*is_echo)(const ParsedPacket&)) {
  return is_rewritable(quoted) && (!is_icmp(quoted) || !quoted.has_transport || is_echo(quoted));
}

uint16_t endpoint_port(const Front& front, const Member& member) {
  return front.protocol == 0 ? 0 : member.port != 0 ? member.port : front.target;
}

// Runs `rewrite` on what an error quotes. ICMP's checksum covers that, so it changes by what changed in the quoted
// headers; a partial one is finished by the device that sums up the bytes as they then are.
template <typename Rewrite>
void rewrite_quoted(const ParsedPacket& packet, const ParsedPacket& quoted, bool is_partial, Rewrite rewrite) {
  // Up to the last field that changes; an even length, as the quote starts a word of the checksum's.
  const uint32_t end = std::min(quoted.length, quoted.transport + tcp::kChecksum + 2) & ~1u;
  const uint16_t before = fold(sum_of(quoted.bytes, end));
  rewrite();
  const uint64_t delta = word_delta(before, fold(sum_of(quoted.bytes, end)));
  uint8_t* checksum = packet.bytes + packet.transport + icmp::kChecksum;
  if (!is_partial) put_raw16(checksum, update_checksum(raw16(checksum), delta));
}

// The way that an answer's flow used, and on the way there whether the client went any of them.
struct Asked {
  bool is_any = false;
  bool is_only_by_flow = true;
  const EndpointWay* way = nullptr;
};

void ask(std::span<const EndpointWay> ways, const PublicEnd* end, const ParsedPacket& answer,
         const PipelineState& state, Asked& asked) {
  for (const EndpointWay& way : ways) {
    const Front& front = *way.front;
    const auto found = state.table.lookup(source_key(front, answer.destination), state.now, front.idle);
    if (found.place == DistributionTable::Found::Place::kNowhere || found.value.container != way.container) continue;
    asked.is_any = true;
    asked.is_only_by_flow &= front.is_by_flow;
    const bool is_of_flow = end == nullptr || (front.address == end->address &&
                                               (front.protocol == 0 || front.port == end->port));
    if (is_of_flow && asked.way == nullptr) asked.way = &way;
  }
}

Asked asked_of(const EndpointWays& ways, const ParsedPacket& answer, const PipelineState& state) {
  PublicEnd end{};
  const bool needs_flow = state.lookup.needs_flow(ways);
  const bool has_flow = needs_flow && state.flows.lookup(flow_from(answer), end);
  Asked asked;
  ask(ways.exact, needs_flow ? &end : nullptr, answer, state, asked);
  ask(ways.every, needs_flow ? &end : nullptr, answer, state, asked);
  if (needs_flow && !has_flow) asked.way = nullptr;
  return asked;
}

Result left(Code code, Way way, const ParsedPacket& packet, const Front& front, uint32_t container,
            const Address& source) {
  Result result = leaving(code, way, packet.length, packet, source);
  result.service = front.service_id;
  result.container = container;
  return result;
}

}  // namespace

Result forward_quoted(const ParsedPacket& packet, bool is_partial, const PipelineState& state) {
  ParsedPacket quoted;
  const auto drop = [&packet](Code code) { return dropped(code, packet, packet.source); };
  const Aliases& aliases = state.lookup.aliases();
  if (!parse_quoted(packet, quoted) || quoted.source != packet.destination || !is_of_flow(quoted, is_echo_reply))
    return drop(Code::kDropUnrelated);
  if (aliases.is_alias(quoted.destination, quoted.is_v6)) return drop(Code::kDropUnrelated);
  const ParsedPacket request = other_way(quoted);
  const Front* front = state.lookup.destination(request).front;
  if (front == nullptr) return drop(quoted.is_later_fragment ? Code::kDropFragment : Code::kDropUnrelated);

  const SourceKey key = source_key(*front, request.source);
  const Decision decision = decide(request, *front, state.lookup, key, state.table.lookup(key, state.now, front->idle),
                                   {state.table.entries(), state.turns, false});
  if (decision.member == nullptr) {
    Result result = drop(Code::kDropNoContainer);
    result.service = front->service_id;
    return result;
  }
  const Member& member = *decision.member;
  const Address& address = member.address[packet.is_v6];
  rewrite_quoted(packet, quoted, is_partial, [&] {
    rewrite_end(quoted, Side::kSource, address, endpoint_port(*front, member), false);
    disguise(quoted, Side::kDestination, aliases, false);
  });
  rewrite_end(packet, Side::kDestination, address, 0, is_partial);
  disguise(packet, Side::kSource, aliases, is_partial);
  return left(Code::kForwardQuoted, Way::kContainer, packet, *front, member.container, key.source);
}

Result reply_quoted(const ParsedPacket& packet, bool is_partial, const PipelineState& state) {
  ParsedPacket quoted;
  const auto pass = [&packet](Code code) { return leaving(code, Way::kTun, packet.length, packet, packet.source); };
  if (!parse_quoted(packet, quoted) || !is_of_flow(quoted, is_echo_request)) return pass(Code::kPassNotOurs);
  const Address client = state.lookup.aliases().source_of(quoted.source, quoted.is_v6).value_or(quoted.source);
  if (client != packet.destination) return pass(Code::kPassNotOurs);
  ParsedPacket answer = other_way(quoted);
  answer.destination = client;
  const EndpointWays ways = state.lookup.endpoint_ways(answer);
  if (ways.size() == 0) return pass(Code::kPassNotOurs);
  const Asked asked = asked_of(ways, answer, state);
  if (!asked.is_any) return pass(Code::kPassUnknownClient);
  if (quoted.is_later_fragment && !state.lookup.is_one_way(ways))
    return dropped(Code::kDropFragment, packet, packet.source);
  if (asked.way == nullptr)
    return asked.is_only_by_flow ? pass(Code::kPassUnknownFlow)
                                 : dropped(Code::kDropUnknownFlow, packet, packet.source);

  const Front& front = *asked.way->front;
  rewrite_quoted(packet, quoted, is_partial, [&] {
    rewrite_end(quoted, Side::kDestination, front.address, front.port, false);
    if (client != quoted.source) rewrite_end(quoted, Side::kSource, client, 0, false);
  });
  rewrite_end(packet, Side::kSource, front.address, 0, is_partial);
  return left(Code::kReplyQuoted, Way::kTun, packet, front, asked.way->container,
              source_key(front, packet.destination).source);
}

}  // namespace onehop

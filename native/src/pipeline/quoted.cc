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

// One end of the error, and the opposite one of what it quotes. ICMP's checksum covers both, so it changes by what
// changed in the quoted headers; a partial one is finished by the device that sums up the bytes as they then are.
void rewrite_error(const ParsedPacket& packet, const ParsedPacket& quoted, Side side, const Address& address,
                   uint16_t port, bool is_partial) {
  // Up to the last field that changes; an even length, as the quote starts a word of the checksum's.
  const uint32_t end = std::min(quoted.length, quoted.transport + tcp::kChecksum + 2) & ~1u;
  const uint16_t before = fold(sum_of(quoted.bytes, end));
  rewrite_end(quoted, side == Side::kSource ? Side::kDestination : Side::kSource, address, port, false);
  const uint64_t delta = word_delta(before, fold(sum_of(quoted.bytes, end)));
  uint8_t* checksum = packet.bytes + packet.transport + icmp::kChecksum;
  if (!is_partial) put_raw16(checksum, update_checksum(raw16(checksum), delta));
  rewrite_end(packet, side, address, 0, is_partial);
}

// The way that an answer's flow used, and on the way there whether the client went any of them.
struct Asked {
  bool is_any = false;
  const EndpointWay* way = nullptr;
};

void ask(std::span<const EndpointWay> ways, const PublicEnd* end, const ParsedPacket& answer,
         const PipelineState& state, Asked& asked) {
  for (const EndpointWay& way : ways) {
    const Front& front = state.lookup.snapshot().fronts[way.front];
    const auto found = state.table.lookup(source_key(front, answer.destination), state.now, front.idle);
    if (found.place == DistributionTable::Found::Place::kNowhere || found.value.container != way.container) continue;
    asked.is_any = true;
    const bool is_of_flow = end == nullptr || (front.address == end->address &&
                                               (front.protocol == 0 || front.port == end->port));
    if (is_of_flow && asked.way == nullptr) asked.way = &way;
  }
}

// Where one way alone leads to the endpoint, no flow is needed.
Asked asked_of(const EndpointWays& ways, const ParsedPacket& answer, const PipelineState& state) {
  PublicEnd end{};
  const bool is_shared = ways.size() > 1;
  const bool has_flow = is_shared && state.flows.lookup(flow_from(answer), end);
  Asked asked;
  ask(ways.exact, is_shared ? &end : nullptr, answer, state, asked);
  ask(ways.every, is_shared ? &end : nullptr, answer, state, asked);
  if (is_shared && !has_flow) asked.way = nullptr;
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
  if (!parse_quoted(packet, quoted) || quoted.source != packet.destination || !is_of_flow(quoted, is_echo_reply))
    return drop(Code::kDropUnrelated);
  const ParsedPacket request = other_way(quoted);
  const Front* front = state.lookup.destination(request).front;
  if (front == nullptr) return drop(quoted.is_fragment ? Code::kDropFragment : Code::kDropUnrelated);

  const SourceKey key = source_key(*front, request.source);
  const Decision decision =
      decide(request, *front, state.lookup, key, state.table.lookup(key, state.now, front->idle));
  if (decision.member == nullptr) {
    Result result = drop(Code::kDropNoContainer);
    result.service = front->service_id;
    return result;
  }
  const Member& member = *decision.member;
  rewrite_error(packet, quoted, Side::kDestination, member.address[packet.is_v6], endpoint_port(*front, member),
                is_partial);
  return left(Code::kForwardQuoted, Way::kContainer, packet, *front, member.container, key.source);
}

Result reply_quoted(const ParsedPacket& packet, bool is_partial, const PipelineState& state) {
  ParsedPacket quoted;
  const auto pass = [&packet](Code code) { return leaving(code, Way::kTun, packet.length, packet, packet.source); };
  if (!parse_quoted(packet, quoted) || quoted.source != packet.destination || !is_of_flow(quoted, is_echo_request))
    return pass(Code::kPassNotOurs);
  const ParsedPacket answer = other_way(quoted);
  const EndpointWays ways = state.lookup.endpoint_ways(answer);
  if (ways.size() == 0) return pass(Code::kPassNotOurs);
  const Asked asked = asked_of(ways, answer, state);
  if (!asked.is_any) return pass(Code::kPassUnknownClient);
  if (asked.way == nullptr) return dropped(Code::kDropUnknownFlow, packet, packet.source);

  const Front& front = state.lookup.snapshot().fronts[asked.way->front];
  rewrite_error(packet, quoted, Side::kSource, front.address, front.port, is_partial);
  return left(Code::kReplyQuoted, Way::kTun, packet, front, asked.way->container,
              source_key(front, packet.destination).source);
}

}  // namespace onehop

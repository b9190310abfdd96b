#include "quoted.h"

#include <algorithm>

#include "asked.h"
#include "decide.h"
#include "outcome.h"
#include "rewrite.h"

namespace onehop {

namespace {

// Of ICMP only echo belongs to a flow: an error about an error, say, does not.
bool is_of_flow(const ParsedPacket& quoted, bool (*is_echo)(const ParsedPacket&)) {
  return is_rewritable(quoted) && (!is_icmp(quoted) || !quoted.has_transport || is_echo(quoted));
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

DistributionTable::Found lookup_source(const SourceKey& key, const Front& front, const PipelineState& state) {
  return state.table.lookup(key, Entries::kNoHint, state.now, front.idle);
}

Asked asked_of(const EndpointWays& ways, const ParsedPacket& answer, const PipelineState& state) {
  const auto has_asked = [&answer, &state](const EndpointWay& way) {
    const auto found = lookup_source(source_key(*way.front, answer.destination), *way.front, state);
    return found.place != DistributionTable::Found::Place::kNowhere && found.value.container == way.container;
  };
  if (state.lookup.needs_flow(ways)) return asked_of(ways, has_asked, FlowEnd(answer, state.flows));
  return asked_of(ways, has_asked, [](const Front&) { return true; });
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
  const Decision decision = decide(request, *front, state.lookup, key, lookup_source(key, *front, state),
                                   {state.table.entries(), state.turns, false});
  if (decision.member == nullptr) {
    Result result = drop(decision.code);
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
  if (!parse_quoted(packet, quoted) || !is_of_flow(quoted, is_echo_request)) return passed(Code::kPassNotOurs, packet);
  const Address client = state.lookup.aliases().source_of(quoted.source, quoted.is_v6).value_or(quoted.source);
  if (client != packet.destination) return passed(Code::kPassNotOurs, packet);
  ParsedPacket answer = other_way(quoted);
  answer.destination = client;
  const EndpointWays ways = state.lookup.endpoint_ways(answer);
  if (ways.size() == 0) return passed(Code::kPassNotOurs, packet);
  const Asked asked = asked_of(ways, answer, state);
  if (!asked.is_any) return passed(Code::kPassUnknownClient, packet);
  if (quoted.is_later_fragment && !state.lookup.is_one_way(ways))
    return dropped(Code::kDropFragment, packet, packet.source);
  const EndpointWay* way = asked.way != nullptr ? asked.way : asked.only();
  if (way == nullptr)
    return asked.is_only_by_flow ? passed(Code::kPassUnknownFlow, packet)
                                 : dropped(Code::kDropUnknownFlow, packet, packet.source);

  const Front& front = *way->front;
  rewrite_quoted(packet, quoted, is_partial, [&] {
    rewrite_end(quoted, Side::kDestination, front.address, front.port, false);
    if (client != quoted.source) rewrite_end(quoted, Side::kSource, client, 0, false);
  });
  rewrite_end(packet, Side::kSource, front.address, 0, is_partial);
  return left(Code::kReplyQuoted, Way::kTun, packet, front, way->container,
              source_key(front, packet.destination).source);
}

}  // namespace onehop

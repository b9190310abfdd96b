// What the ways to an endpoint say of an answer from there, or of an error about a request to there.
#pragma once

#include "lookup.h"
#include "outcome.h"

namespace onehop {

struct Asked {
  bool is_any = false;               // whether the client went any of them
  bool is_only_by_flow = true;       // whether those that it went take nothing but what a flow names
  const EndpointWay* way = nullptr;  // the first of them that the flow went through
  const EndpointWay* sole = nullptr;  // it, when the client went one alone

  // A client that uses one public end alone can have meant no other, whatever is remembered of its flows.
  const EndpointWay* only() const { return is_only_by_flow ? nullptr : sole; }
};

// `has_asked(way)`: whether the client went this way. Every way is asked: each may be the one whose source has to prove
// itself. `is_of_flow(front)`: whether the flow may have come in there.
template <typename HasAsked, typename IsOfFlow>
Asked asked_of(const EndpointWays& ways, HasAsked has_asked, IsOfFlow is_of_flow) {
  Asked asked;
  for (const std::span<const EndpointWay> list : {ways.exact, ways.every})
    for (const EndpointWay& way : list) {
      if (!has_asked(way)) continue;
      asked.sole = asked.is_any ? nullptr : &way;
      asked.is_any = true;
      asked.is_only_by_flow &= way.front->is_by_flow;
      if (asked.way == nullptr && is_of_flow(*way.front)) asked.way = &way;
    }
  return asked;
}

// The public end that an answer's flow came in by; none when it is not remembered.
class FlowEnd {
 public:
  FlowEnd(const ParsedPacket& answer, const FlowTable& flows) : is_known_(flows.lookup(flow_from(answer), end_)) {}

  bool operator()(const Front& front) const {
    return is_known_ && front.address == end_.address && (front.protocol == 0 || front.port == end_.port);
  }

 private:
  PublicEnd end_{};
  bool is_known_;
};

}  // namespace onehop

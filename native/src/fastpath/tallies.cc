#include "tallies.h"

#include <algorithm>

#include "../pipeline/verdict.h"

namespace onehop {

namespace {

void add(Traffic& sum, const fast_tally& tally) {
  sum.packets += tally.packets;
  sum.bytes += tally.bytes;
}

void add(fast_tally& sum, const fast_tally& tally) {
  sum.packets += tally.packets;
  sum.bytes += tally.bytes;
}

void add(fast_traffic& sum, const fast_traffic& traffic) {
  add(sum.requests[0], traffic.requests[0]);
  add(sum.requests[1], traffic.requests[1]);
  add(sum.answers, traffic.answers);
}

// Sorted by id, as the engine's.
IdTraffic& of(std::vector<IdTraffic>& list, uint32_t id) {
  const auto at = std::ranges::lower_bound(list, id, {}, &IdTraffic::id);
  return at != list.end() && at->id == id ? *at : *list.insert(at, IdTraffic{id, {}, {}});
}

void add(Counters& counters, Code code, const fast_tally& tally, Traffic& of_service, Traffic& of_container) {
  for (Traffic* sum : {&counters.received, &counters.reasons[static_cast<size_t>(code)], &of_service, &of_container})
    add(*sum, tally);
}

}  // namespace

void Tallies::assign(uint32_t place, uint32_t service, uint32_t container) {
  const std::lock_guard lock(mutex_);
  if (place >= owners_.size()) owners_.resize(place + 1);
  owners_[place] = {service, container};
}

void Tallies::retire(uint32_t place) {
  const std::lock_guard lock(mutex_);
  fast_traffic& sum = retired_[std::exchange(owners_[place], {})];
  traffic_.read(place, [&sum](const fast_traffic& traffic) { onehop::add(sum, traffic); });
  traffic_.clear(place);
}

void Tallies::add_to(Counters& counters) const {
  const std::lock_guard lock(mutex_);
  traffic_.for_each(static_cast<uint32_t>(owners_.size()), [&](uint32_t place, const fast_traffic& traffic) {
    if (owners_[place].service != 0) add(counters, owners_[place], traffic);
  });
  for (const auto& [owner, traffic] : retired_) add(counters, owner, traffic);
}

void Tallies::add(Counters& counters, const Owner& owner, const fast_traffic& traffic) {
  IdTraffic& service = of(counters.services, owner.service);
  IdTraffic& container = of(counters.containers, owner.container);
  onehop::add(counters, Code::kForwardKnown, traffic.requests[0], service.in, container.in);
  onehop::add(counters, Code::kForwardPinned, traffic.requests[1], service.in, container.in);
  onehop::add(counters, Code::kReplyEndpoint, traffic.answers, service.out, container.out);
}

}  // namespace onehop

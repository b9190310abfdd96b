#include "services.h"

#include <algorithm>
#include <bit>
#include <set>

#include "../table/source.h"

namespace onehop {

namespace {

// The slow path forgets a source that was idle for so long. It hears of one that is busy here only every few seconds,
// and later with many sources.
constexpr uint32_t kIdleAtLeast = 2 * FAST_SILENT_SECONDS;

fast_address fast_of(const Address& address) { return {address.high, address.low}; }

fast_end end_of(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) {
  return {.address = fast_of(address), .port = port, .protocol = protocol, .is_v6 = is_v6, .zero = 0};
}

uint32_t scope_word(const Front& front) { return SourceKey{{}, front.scope, front.is_v6}.scope_word(); }

fast_front front_of(const Front& front) {
  return {.mask = fast_of(front.mask),
          .scope = scope_word(front),
          .service = front.service_id,
          .generation = 0,
          .target = front.target,
          .zero = 0};
}

fast_endpoint endpoint_of(const Front& front, const Member& member) {
  return {.address = fast_of(front.address),
          .mask = fast_of(front.mask),
          .scope = scope_word(front),
          .service = front.service_id,
          .generation = 0,
          .container = member.container,
          .port = front.port,
          .zero = {}};
}

uint32_t prefix_of(const Front& front) {
  const auto bits = static_cast<uint32_t>(std::popcount(front.mask.high) + std::popcount(front.mask.low));
  return bits - (128 - address_bits(front.is_v6));
}

// A change of pins is a change, whatever they were.
std::vector<uint64_t> shape_of(const Service& service) {
  std::vector<uint64_t> shape;
  for (const Member& member : service.members) {
    const uint64_t usable = uint64_t{member.is_usable[0]} | uint64_t{member.is_usable[1]} << 1;
    shape.insert(shape.end(), {uint64_t{member.container} << 32 | member.port, usable, member.address[0].low,
                               member.address[1].high, member.address[1].low});
  }
  for (const Front& front : service.fronts)
    shape.insert(shape.end(), {front.address.high, front.address.low, front.mask.high, front.mask.low,
                               uint64_t{front.scope} << 32 | uint64_t{front.port} << 16 | front.target,
                               uint64_t{front.protocol} << 1 | front.is_v6});
  if (service.pins != nullptr) shape.push_back(service.generation);
  return shape;
}

// All of a service's ends of one kind, with the generation of its sources.
template <typename Kind>
int put_all(std::vector<std::pair<fast_end, Kind>>& standing, Ends<Kind>& ends, uint32_t generation,
            uint32_t version) {
  int error = 0;
  for (auto& [end, kind] : standing) {
    kind.generation = generation;
    error |= ends.put(end, kind, version);
  }
  return error;
}

}  // namespace

Services::Standing Services::build(std::shared_ptr<const Service> service) {
  Standing built{.service = service, .shape = shape_of(*service), .fronts = {}, .endpoints = {}};
  for (const Front& front : service->fronts) {
    built.fronts.emplace_back(end_of(front.address, front.is_v6, front.protocol, front.port), front_of(front));
    for (const Member& member : service->members) {
      if (!member.has_address[front.is_v6]) continue;
      const uint16_t port = front.protocol == 0 ? uint16_t{0} : member.port != 0 ? member.port : front.target;
      built.endpoints.emplace_back(end_of(member.address[front.is_v6], front.is_v6, front.protocol, port),
                                   endpoint_of(front, member));
    }
  }
  return built;
}

// What goes is erased only when all is written that takes its place: in between, a port's packets would be taken for
// those of a service with all ports of the same address.
void Services::publish(const SnapshotLookup& lookup, uint32_t version) {
  std::unordered_set<uint32_t> present;
  std::vector<Standing> replaced;
  lookup.for_each_service([&](const std::shared_ptr<const Service>& service) {
    present.insert(service->id);
    Standing& standing = standing_[service->id];
    if (standing.service == service) return;
    Standing next = build(service);
    if (standing.service != nullptr) count_scopes(*standing.service, -1);
    count_scopes(*service, 1);
    if (standing.shape == next.shape) {
      standing.service = service;
      return;
    }
    replaced.push_back(std::exchange(standing, std::move(next)));
  });
  std::erase_if(standing_, [&](auto& item) {
    if (present.contains(item.first)) return false;
    count_scopes(*item.second.service, -1);
    replaced.push_back(std::move(item.second));
    return true;
  });
  for (auto& [id, standing] : standing_) {
    const bool is_fast = is_plain(*standing.service, lookup.aliases());
    if (standing.is_written && std::exchange(standing.is_fast, is_fast) == is_fast) continue;
    standing.is_fast = is_fast;
    write(standing, version);
  }
  for (const Standing& old : replaced) {
    for (const auto& [end, front] : old.fronts) fronts_.erase_unless(end, version);
    for (const auto& [end, endpoint] : old.endpoints) endpoints_.erase_unless(end, version);
  }
}

void Services::count_scopes(const Service& service, int change) {
  std::set<uint32_t> scopes;
  for (const Front& front : service.fronts) scopes.insert(front.scope);
  for (const uint32_t scope : scopes)
    if ((services_of_scope_[scope] += static_cast<uint32_t>(change)) == 0) services_of_scope_.erase(scope);
}

// Where answers need the flow to tell the way in, requests must be remembered; an entry that one service moves is moved
// for the others of its scope, too; where a pin is for a part of what counts as one source, that source has more than one
// container; and where so little of a source counts that it may be one with aliases, answers to these could be taken for
// its own.
bool Services::is_plain(const Service& service, const Aliases& aliases) const {
  for (const Member& member : service.members)
    for (const bool is_v6 : {false, true})
      if (member.is_by_flow[is_v6].load(std::memory_order_relaxed)) return false;
  return std::ranges::none_of(service.fronts, [&](const Front& front) {
    return front.is_by_flow || front.idle < kIdleAtLeast || services_of_scope_.at(front.scope) > 1 ||
           (service.pins != nullptr && service.pins->longest(front.is_v6) > prefix_of(front)) ||
           prefix_of(front) < aliases.prefix_length(front.is_v6);
  });
}

void Services::invalidate(const std::unordered_set<uint32_t>& scopes, uint32_t version) {
  const auto has_scope = [&scopes](const Front& front) { return scopes.contains(front.scope); };
  for (auto& [id, standing] : standing_)
    if (std::ranges::any_of(standing.service->fronts, has_scope)) write(standing, version);
}

uint32_t Services::generation_of(uint32_t service) const {
  const auto found = standing_.find(service);
  return found == standing_.end() ? 0 : found->second.generation;
}

uint16_t Services::port_of(uint32_t service, uint32_t container) const {
  const Member* member = standing_.at(service).service->member(container);
  return member == nullptr ? uint16_t{0} : member->port;
}

// One that is not fast is written, too: its ports must not be taken for those of a service with all ports of the same
// address. The ways in come first, since they lead to containers; one that does not fit into the maps stays slow.
void Services::write(Standing& standing, uint32_t version) {
  standing.is_written = true;
  standing.generation = standing.is_fast ? version : 0;
  if (put_all(standing.fronts, fronts_, standing.generation, version) == 0 &&
      put_all(standing.endpoints, endpoints_, standing.generation, version) == 0)
    return;
  standing.generation = 0;
  put_all(standing.fronts, fronts_, standing.generation, version);
}

}  // namespace onehop

#include "services.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "../table/source.h"
#include "ends.h"

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

fast_front front_of(const Front& front, uint32_t generation) {
  return {.mask = fast_of(front.mask),
          .scope = scope_word(front),
          .service = front.service_id,
          .generation = generation,
          .target = front.target,
          .zero = 0};
}

fast_endpoint endpoint_of(const Front& front, const Member& member, uint32_t generation) {
  return {.address = fast_of(front.address),
          .mask = fast_of(front.mask),
          .scope = scope_word(front),
          .service = front.service_id,
          .generation = generation,
          .container = member.container,
          .port = front.port,
          .zero = {}};
}

uint32_t prefix_of(const Front& front) {
  const auto bits = static_cast<uint32_t>(std::popcount(front.mask.high) + std::popcount(front.mask.low));
  return bits - (128 - address_bits(front.is_v6));
}

bool is_finer(const std::shared_ptr<const PrefixTable>& table, const Front& front) {
  return table != nullptr && table->longest(front.is_v6) > prefix_of(front);
}

// A change of pins is a change, whatever they were. Another table of who is let in lies elsewhere, for both shapes' services
// still have theirs.
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
  shape.insert(shape.end(), {reinterpret_cast<uintptr_t>(service.admission.table.get()), service.admission.is_open});
  return shape;
}

template <typename Visit>
void for_each_front(const Service& service, Visit visit) {
  for (const Front& front : service.fronts)
    visit(end_of(front.address, front.is_v6, front.protocol, front.port), front);
}

template <typename Visit>
void for_each_endpoint(const Service& service, Visit visit) {
  for (const Front& front : service.fronts)
    for (const Member& member : service.members)
      if (member.has_address[front.is_v6])
        visit(end_of(member.address[front.is_v6], front.is_v6, front.protocol, endpoint_port(front, member)), front,
              member);
}

std::set<uint32_t> scopes_of(const Service& service) {
  std::set<uint32_t> scopes;
  for (const Front& front : service.fronts) scopes.insert(front.scope);
  return scopes;
}

}  // namespace

// Looks at the services that changed, and at those that may be served another way because of them.
void Services::publish(const Replaced& replaced, const Aliases& aliases, uint32_t version) {
  Ids doubtful(replaced.marked.begin(), replaced.marked.end());
  if (follow(aliases))
    for (const auto& [id, standing] : standing_) doubtful.insert(id);
  const Blocks old = replace(replaced, doubtful);
  Blocks kept = replaced.come;
  for (const uint32_t id : doubtful) {
    const auto found = standing_.find(id);
    if (found == standing_.end()) continue;
    Standing& standing = found->second;
    const bool is_fast = is_plain(*standing.service, aliases);
    if (std::exchange(standing.is_written, true) && standing.is_fast == is_fast) continue;
    standing.is_fast = is_fast;
    write(standing, version);
    kept.push_back(standing.service);
  }
  if (!old.empty()) erase(old, kept);
}

// Returns the blocks that what is written no longer comes from. One that changed in nothing that decides for a known source
// goes on as it is.
Services::Blocks Services::replace(const Replaced& replaced, Ids& doubtful) {
  Blocks old;
  for (const auto& service : replaced.gone) leave_scopes(*service, doubtful);
  for (const auto& service : replaced.come) {
    enter_scopes(*service, doubtful);
    doubtful.insert(service->id);
    Standing& standing = standing_[service->id];
    if (standing.service == nullptr) {
      standing.service = service;
    } else if (shape_of(*standing.service) == shape_of(*service)) {
      standing.service = service;
    } else {
      old.push_back(standing.service);
      standing = {.service = service};
    }
  }
  for (const auto& service : replaced.gone) {
    const auto found = standing_.find(service->id);
    if (found == standing_.end() || found->second.service != service) continue;
    standing_.erase(found);
    old.push_back(service);
  }
  return old;
}

bool Services::follow(const Aliases& aliases) {
  const std::array<uint32_t, 2> lengths{aliases.prefix_length(false), aliases.prefix_length(true)};
  return std::exchange(alias_lengths_, lengths) != lengths;
}

// Who has been alone in a scope, or is so from now on, may be served another way.
void Services::enter_scopes(const Service& service, Ids& doubtful) {
  for (const uint32_t scope : scopes_of(service)) {
    std::vector<uint32_t>& others = services_of_scope_[scope];
    if (others.size() == 1) doubtful.insert(others.front());
    others.push_back(service.id);
  }
}

void Services::leave_scopes(const Service& service, Ids& doubtful) {
  for (const uint32_t scope : scopes_of(service)) {
    std::vector<uint32_t>& others = services_of_scope_[scope];
    std::erase(others, service.id);
    if (others.size() == 1) doubtful.insert(others.front());
    if (others.empty()) services_of_scope_.erase(scope);
  }
}

// Where answers need the flow to tell the way in, requests must be remembered; an entry that one service moves is moved
// for the others of its scope, too; where a pin, or who is let in, is for a part of what counts as one source, not all
// of that goes to one container; and where so little of a source counts that it may be one with aliases, answers to these could be taken for
// its own.
bool Services::is_plain(const Service& service, const Aliases& aliases) const {
  for (const Member& member : service.members)
    for (const bool is_v6 : {false, true})
      if (member.is_by_flow[is_v6].load(std::memory_order_relaxed)) return false;
  return std::ranges::none_of(service.fronts, [&](const Front& front) {
    return front.is_by_flow || front.idle < kIdleAtLeast || services_of_scope_.at(front.scope).size() > 1 ||
           is_finer(service.pins, front) || is_finer(service.admission.table, front) ||
           prefix_of(front) < aliases.prefix_length(front.is_v6);
  });
}

void Services::invalidate(const std::unordered_set<uint32_t>& scopes, uint32_t version) {
  Ids ids;
  for (const uint32_t scope : scopes)
    if (const auto found = services_of_scope_.find(scope); found != services_of_scope_.end())
      ids.insert(found->second.begin(), found->second.end());
  for (const uint32_t id : ids) write(standing_.at(id), version);
}

uint32_t Services::generation_of(uint32_t service) const {
  const auto found = standing_.find(service);
  return found == standing_.end() ? 0 : found->second.generation;
}

bool Services::has(uint32_t service, uint32_t container) const {
  const auto found = standing_.find(service);
  return found != standing_.end() && found->second.service->member(container) != nullptr;
}

uint16_t Services::port_of(uint32_t service, uint32_t container) const {
  const Member* member = standing_.at(service).service->member(container);
  return member == nullptr ? uint16_t{0} : member->port;
}

// One that is not fast is written, too: its ports must not be taken for those of a service with all ports of the same
// address. The ways in come first, since they lead to containers; one that does not fit into the maps stays slow.
void Services::write(Standing& standing, uint32_t version) {
  standing.generation = standing.is_fast ? version : 0;
  if (write_fronts(standing) == 0 && write_endpoints(standing) == 0) return;
  standing.generation = 0;
  write_fronts(standing);
}

int Services::write_fronts(const Standing& standing) {
  int error = 0;
  for_each_front(*standing.service, [&](const fast_end& end, const Front& front) {
    error |= fronts_.put(end, front_of(front, standing.generation));
  });
  return error;
}

int Services::write_endpoints(const Standing& standing) {
  int error = 0;
  for_each_endpoint(*standing.service, [&](const fast_end& end, const Front& front, const Member& member) {
    error |= endpoints_.put(end, endpoint_of(front, member, standing.generation));
  });
  return error;
}

// Only when all is written that takes its place: in between, a port's packets would be taken for those of a service with
// all ports of the same address. What one service gives up another may have taken.
void Services::erase(const Blocks& old, const Blocks& kept) {
  EndSet fronts, endpoints;
  for (const auto& service : kept) {
    for_each_front(*service, [&](const fast_end& end, const Front&) { fronts.insert(end); });
    for_each_endpoint(*service, [&](const fast_end& end, const Front&, const Member&) { endpoints.insert(end); });
  }
  for (const auto& service : old) {
    for_each_front(*service, [&](const fast_end& end, const Front&) {
      if (!fronts.contains(end)) fronts_.erase(end);
    });
    for_each_endpoint(*service, [&](const fast_end& end, const Front&, const Member&) {
      if (!endpoints.contains(end)) endpoints_.erase(end);
    });
  }
}

}  // namespace onehop

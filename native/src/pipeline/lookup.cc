#include "lookup.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace onehop {

namespace {

// A service has fronts times members of them: a few bytes of update could ask for any amount of memory.
constexpr uint64_t kWaysAtMost = 1 << 24;

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  throw std::invalid_argument("snapshot: services: " + found + "; expected " + expected);
}

uint64_t ways_of(const Service& service) { return uint64_t{service.fronts.size()} * service.members.size(); }

template <typename Visit>
void for_each_address(const Service& service, Visit visit) {
  for (const Member& member : service.members)
    for (const bool is_v6 : {false, true})
      if (member.has_address[is_v6]) visit(member, is_v6);
}

}  // namespace

// Those that go first, for what comes may take their place. Pages that packet threads read are marked last of all, when
// nothing can be refused any more.
SnapshotLookup::SnapshotLookup(const SnapshotLookup* before, Update update, Replaced& replaced)
    : key_(update.key),
      is_dropping_unserved_(update.is_dropping_unserved),
      version_(before == nullptr ? 1 : before->version_ + 1),
      aliases_(update.hairpin),
      new_sources_(update.new_sources) {
  if (before != nullptr && update.is_whole) {
    before->services_.for_each([&](const auto& service) { replaced.gone.push_back(service); });
  } else if (before != nullptr) {
    if (before->key_ != key_) refuse("another key", "a whole snapshot with it");
    ways_ = before->ways_;
    fronts_ = before->fronts_;
    addresses_ = before->addresses_;
    portless_ = before->portless_;
    scopes_ = before->scopes_;
    endpoints_ = before->endpoints_;
    services_ = before->services_;
  }
  for (const uint32_t id : update.gone) remove(id, replaced);
  for (const auto& service : update.services) remove(service->id, replaced);
  for (auto& service : update.services) {
    keep_tables(update.is_whole ? nullptr : before, *service);
    add(std::move(service), replaced);
  }
  for (const auto& service : replaced.come) mark_by_flow(*service, replaced);
}

void SnapshotLookup::remove(uint32_t id, Replaced& replaced) {
  const auto* found = services_.find(service_key(id));
  if (found == nullptr) return;
  const std::shared_ptr<const Service>& service = replaced.gone.emplace_back(*found);
  services_.change(service_key(id), [](auto& place) { place = nullptr; });
  for (const Front& front : service->fronts) remove_front(front);
  change_portless(*service, -1);
  for_each_address(*service, [&](const Member& member, bool is_v6) { remove_ways(*service, member, is_v6); });
  ways_ -= ways_of(*service);
}

// A million prefixes stay where they are when their service changes otherwise.
void SnapshotLookup::keep_tables(const SnapshotLookup* before, Service& service) const {
  const auto* found = before == nullptr ? nullptr : before->services_.find(service_key(service.id));
  if (service.has_known_pins) {
    if (found == nullptr || (*found)->pins == nullptr) refuse("pins that are known", "a service that had some");
    service.pins = (*found)->pins;
  }
  if (service.admission.is_known) {
    if (found == nullptr || (*found)->admission.table == nullptr)
      refuse("admission that are known", "a service that had some");
    service.admission.table = (*found)->admission.table;
  }
  restrict(service);
  if (service.pins == nullptr) return;
  if (service.pins->numbers() > service.pin_sets.size())
    refuse("a pin to set " + std::to_string(service.pins->numbers() - 1),
           "a position below " + std::to_string(service.pin_sets.size()));
  for (Front& front : service.fronts) front.has_pins = service.pins->has_any(front.is_v6);
}

void SnapshotLookup::restrict(Service& service) const {
  const Admission& admission = service.admission;
  if (admission.table == nullptr) return;
  for (Front& front : service.fronts) front.is_restricted = !admission.is_open || admission.table->has_any(front.is_v6);
}

void SnapshotLookup::add(std::unique_ptr<Service> made, Replaced& replaced) {
  made->generation = version_;
  ways_ += ways_of(*made);
  if (ways_ > kWaysAtMost)
    refuse(std::to_string(ways_) + " fronts times members", "at most " + std::to_string(kWaysAtMost));
  const std::shared_ptr<const Service>& service = replaced.come.emplace_back(std::move(made));
  services_.change(service_key(service->id), [&](auto& place) { place = service; });
  for (const Front& front : service->fronts) add_front(front);
  change_portless(*service, 1);
  for_each_address(*service, [&](const Member& member, bool is_v6) { add_ways(*service, member, is_v6); });
}

void SnapshotLookup::add_front(const Front& front) {
  scopes_.change(scope_key(front.scope), [&](Scope& scope) { scope = {front.idle, scope.fronts + 1}; });
  const auto take = [&front](const Front*& place) {
    if (place != nullptr) refuse("a way in given twice", "each address, protocol and port once");
    place = &front;
  };
  addresses_.change(address_key(front.address, front.is_v6), [&](PublicAddress& address) {
    address.fronts++;
    if (front.protocol == 0) take(address.every);
  });
  if (front.protocol != 0)
    fronts_.change(end_key(front.address, front.is_v6, front.protocol, front.port), take);
}

void SnapshotLookup::remove_front(const Front& front) {
  scopes_.change(scope_key(front.scope), [](Scope& scope) { scope.fronts--; });
  addresses_.change(address_key(front.address, front.is_v6), [&](PublicAddress& address) {
    address.fronts--;
    if (front.protocol == 0) address.every = nullptr;
  });
  if (front.protocol != 0)
    fronts_.change(end_key(front.address, front.is_v6, front.protocol, front.port),
                   [](const Front*& place) { place = nullptr; });
}

// Takes the service in, or out again with -1: for each of its addresses and protocols by the first front.
void SnapshotLookup::change_portless(const Service& service, int services) {
  Index first(service.fronts.size());
  for (uint32_t i = 0; i < service.fronts.size(); i++) {
    const Front& front = service.fronts[i];
    const IndexKey key = end_key(front.address, front.is_v6, front.protocol, 0);
    if (front.protocol == 0 || first.insert(key, i) != i) continue;
    portless_.change(key, [&](Portless& portless) {
      portless.fronts ^= reinterpret_cast<uintptr_t>(&front);
      portless.services += static_cast<uint32_t>(services);
    });
  }
}

void SnapshotLookup::add_ways(const Service& service, const Member& member, bool is_v6) {
  endpoints_.change(address_key(member.address[is_v6], is_v6), [&](auto& place) {
    AddressWays ways = place == nullptr ? AddressWays{} : *place;
    for (const Front& front : service.fronts) {
      if (front.is_v6 != is_v6) continue;
      const EndpointWay way{&front, member.container, endpoint_port(front, member), front.protocol};
      ways.insert(std::ranges::upper_bound(ways, way.order(), {}, &EndpointWay::order), way);
    }
    place = ways.empty() ? nullptr : std::make_shared<const AddressWays>(std::move(ways));
  });
}

void SnapshotLookup::remove_ways(const Service& service, const Member& member, bool is_v6) {
  endpoints_.change(address_key(member.address[is_v6], is_v6), [&](auto& place) {
    if (place == nullptr) return;
    AddressWays ways = *place;
    std::erase_if(ways, [&service](const EndpointWay& way) { return way.front->service == &service; });
    place = ways.empty() ? nullptr : std::make_shared<const AddressWays>(std::move(ways));
  });
}

EndpointWays SnapshotLookup::ways_at(const AddressWays& ways, uint8_t protocol, uint16_t port) {
  const auto at = [&ways](uint32_t order) {
    return std::span<const EndpointWay>(std::ranges::lower_bound(ways, order, {}, &EndpointWay::order),
                                        std::ranges::upper_bound(ways, order, {}, &EndpointWay::order));
  };
  return {protocol == 0 ? std::span<const EndpointWay>{} : at(EndpointWay{nullptr, 0, port, protocol}.order()), at(0)};
}

EndpointWays SnapshotLookup::ways_to_all_ports(const ParsedPacket& packet) const {
  const auto* found = endpoints_.find(address_key(packet.source, packet.is_v6));
  if (found == nullptr) return {};
  const std::span<const EndpointWay> exact(
      std::ranges::lower_bound(**found, packet.protocol, {}, &EndpointWay::protocol),
      std::ranges::upper_bound(**found, packet.protocol, {}, &EndpointWay::protocol));
  return {exact, ways_at(**found, 0, 0).every};
}

namespace {

void mark(std::span<const EndpointWay> ways, bool is_v6, Replaced& replaced) {
  for (const EndpointWay& way : ways) {
    std::atomic<bool>& is_by_flow = way.front->service->member(way.container)->is_by_flow[is_v6];
    if (is_by_flow.load(std::memory_order_relaxed)) continue;
    is_by_flow.store(true, std::memory_order_relaxed);
    replaced.marked.push_back(way.front->service_id);
  }
}

}  // namespace

// So that a packet to a container looks the endpoint up only where that can matter. A service's own members and those of
// others at the same endpoints: there may be ten thousand at other ports of the address.
void SnapshotLookup::mark_by_flow(const Service& service, Replaced& replaced) const {
  for_each_address(service, [&](const Member& member, bool is_v6) {
    const auto* found = endpoints_.find(address_key(member.address[is_v6], is_v6));
    if (found == nullptr) return;
    const AddressWays& ways = **found;
    const auto mark_at = [&ways, is_v6, &replaced](uint8_t protocol, uint16_t port) {
      const EndpointWays at = ways_at(ways, protocol, port);
      if (!needs_flow(at)) return;
      mark(at.exact, is_v6, replaced);
      mark(at.every, is_v6, replaced);
    };
    for (const Front& front : service.fronts) {
      if (front.is_v6 != is_v6) continue;
      if (front.protocol != 0) mark_at(front.protocol, endpoint_port(front, member));
      else
        for (const EndpointWay& way : ways) mark_at(way.protocol, way.port);
    }
  });
}

}  // namespace onehop

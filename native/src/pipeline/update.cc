#include "update.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>

#include "../packet/tcp.h"
#include "../packet/udp.h"
#include "../table/maglev.h"
#include "../table/turns.h"

namespace onehop {

namespace {

constexpr uint32_t kMagic = 0x706f6831;  // "1hop"
constexpr uint32_t kVersion = 5;

// Reads numbers in order; knows where it stands for the error's sake. Nothing is read past the end.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  // The list and the element that fields belong to from now on.
  void enter(const char* list) { path_.push_back({list, 0}); }
  void at(uint32_t index) { path_.back().index = index; }
  void leave() { path_.pop_back(); }

  template <typename Number>
  Number number(const char* field) {
    Number value;
    std::memcpy(&value, take(sizeof value, field), sizeof value);
    return value;
  }
  template <typename Number>
  Number number(const char* field, Number least, Number most) {
    const Number value = number<Number>(field);
    if (value < least || value > most)
      fail(field, std::to_string(value), std::to_string(least) + " to " + std::to_string(most));
    return value;
  }
  bool boolean(const char* field) { return number<uint8_t>(field, 0, 1) != 0; }

  // A list's length, whose elements take `element_bytes` at least: more than the bytes hold is refused before
  // any memory is asked for.
  uint32_t count(const char* list, size_t element_bytes) {
    const auto value = number<uint32_t>(list);
    if (value > left() / element_bytes)
      fail(list, std::to_string(value) + " elements", "no more than the " + std::to_string(left()) + " bytes left hold");
    return value;
  }

  const uint8_t* take(size_t length, const char* field) {
    if (length > left())
      fail(field, std::to_string(left()) + " bytes left", std::to_string(length) + " more");
    const uint8_t* bytes = bytes_.data() + read_;
    read_ += length;
    return bytes;
  }

  std::string_view text(const char* field) {
    const auto length = number<uint8_t>(field);
    return {reinterpret_cast<const char*>(take(length, field)), length};
  }

  Address address(const char* field, bool is_v6) { return address_from(take(address_length(is_v6), field), is_v6); }

  void end() {
    if (left() != 0) fail("end", std::to_string(left()) + " bytes left", "none");
  }

  [[noreturn]] void fail(const char* field, const std::string& found, const std::string& expected) const {
    std::string path;
    for (const Step& step : path_) path += std::string(step.list) + "[" + std::to_string(step.index) + "].";
    throw std::invalid_argument("snapshot: " + path + field + ": " + found + "; expected " + expected);
  }

 private:
  struct Step {
    const char* list;
    uint32_t index;
  };

  size_t left() const { return bytes_.size() - read_; }

  std::span<const uint8_t> bytes_;
  size_t read_ = 0;
  std::vector<Step> path_;
};

// Calls `read_one` with the position of each element of a list.
template <typename ReadOne>
void read_each(Reader& reader, const char* list, uint32_t count, ReadOne read_one) {
  reader.enter(list);
  for (uint32_t i = 0; i < count; i++) {
    reader.at(i);
    read_one(i);
  }
  reader.leave();
}

template <typename Element, typename ReadOne>
void read_list(Reader& reader, const char* list, size_t element_bytes, std::vector<Element>& into, ReadOne read_one) {
  const uint32_t count = reader.count(list, element_bytes);
  read_each(reader, list, count, [&](uint32_t) { into.push_back(read_one()); });
}

AliasPrefix read_alias(Reader& reader, const char* field, bool is_v6) {
  AliasPrefix alias{};
  alias.length = reader.number<uint8_t>(field, 1, static_cast<uint8_t>(address_bits(is_v6)));
  alias.mask = mask_of(alias.length, is_v6);
  alias.address = masked(reader.address(field, is_v6), alias.mask);
  return alias;
}

SourcePrefix read_source(Reader& reader, const Hairpin& hairpin) {
  SourcePrefix source{};
  source.is_v6 = reader.boolean("is v6");
  source.length = reader.number<uint8_t>("length", hairpin.alias[source.is_v6].length,
                                         static_cast<uint8_t>(address_bits(source.is_v6)));
  source.prefix = masked(reader.address("prefix", source.is_v6), mask_of(source.length, source.is_v6));
  return source;
}

Hairpin read_hairpin(Reader& reader) {
  Hairpin hairpin{};
  hairpin.is_on = reader.boolean("hairpin");
  if (!hairpin.is_on) return hairpin;
  hairpin.alias[0] = read_alias(reader, "alias4", false);
  hairpin.alias[1] = read_alias(reader, "alias6", true);
  read_list(reader, "sources", 6, hairpin.sources, [&] { return read_source(reader, hairpin); });
  return hairpin;
}

NewSourceLimits read_new_sources(Reader& reader) {
  NewSourceLimits limits{};
  if (!reader.boolean("new sources")) return limits;
  constexpr uint32_t kRateAtMost = 100'000;
  limits.per_source.per_second = reader.number<uint32_t>("per source", 0, kRateAtMost);
  limits.per_prefix.per_second = reader.number<uint32_t>("per prefix", 0, kRateAtMost);
  limits.per_source.burst_seconds = limits.per_prefix.burst_seconds = reader.number<uint8_t>("burst", 1, 60);
  for (const bool is_v6 : {false, true}) {
    const uint32_t length =
        reader.number<uint8_t>(is_v6 ? "prefix6" : "prefix4", 1, static_cast<uint8_t>(address_bits(is_v6)));
    limits.prefix[is_v6] = {mask_of(length, is_v6), length};
  }
  return limits;
}

// What is needed of members to build the rest of a service, and not after.
using Names = std::vector<std::string_view>;

std::string_view read_member(Reader& reader, Member& member) {
  member.container = reader.number<uint32_t>("container", 1, kIdsBelow - 1);
  const auto state = static_cast<ContainerState>(reader.number<uint8_t>("state", 0, 2));
  member.has_address[0] = reader.boolean("has address4");
  member.has_address[1] = reader.boolean("has address6");
  member.port = swap16(reader.number<uint16_t>("port"));
  member.weight[0] = reader.number<uint16_t>("weight4");
  member.weight[1] = reader.number<uint16_t>("weight6");
  const std::string_view name = reader.text("name");
  if (member.has_address[0]) member.address[0] = reader.address("address4", false);
  if (member.has_address[1]) member.address[1] = reader.address("address6", true);
  for (const bool is_v6 : {false, true}) {
    member.is_usable[is_v6] = state != ContainerState::kDown && member.has_address[is_v6];
    if (member.weight[is_v6] > 0 && !member.is_usable[is_v6])
      reader.fail("weight", std::to_string(member.weight[is_v6]), "0, for it is down or has no address of the family");
  }
  return name;
}

Names read_members(Reader& reader, Service& service) {
  const uint32_t count = reader.count("members", 14);
  if (count >= Service::kNoMember) reader.fail("members", std::to_string(count), "at most 65534");
  service.members = std::vector<Member>(count);
  Names names(count);
  read_each(reader, "members", count, [&](uint32_t i) { names[i] = read_member(reader, service.members[i]); });
  return names;
}

void place_members(Service& service) {
  const auto count = static_cast<uint32_t>(service.members.size());
  service.member_places.assign(std::bit_ceil(count + count / 2 + 1), Service::kNoMember);
  for (uint32_t position = 0; position < count; position++) {
    const uint32_t container = service.members[position].container;
    if (service.member(container) != nullptr) continue;
    uint32_t at = service.place_of(container);
    while (service.member_places[at] != Service::kNoMember) at = (at + 1) & service.place_mask();
    service.member_places[at] = static_cast<uint16_t>(position);
  }
}

std::vector<RingMember> competitors(const Service& service, const Names& names, bool is_v6) {
  std::vector<RingMember> list;
  for (size_t i = 0; i < service.members.size(); i++) {
    const Member& member = service.members[i];
    if (member.weight[is_v6] > 0) list.push_back({names[i], member.weight[is_v6], static_cast<uint16_t>(i)});
  }
  return list;
}

Ring build_ring_of(Algorithm algorithm, const std::vector<RingMember>& list, const HashKey& key) {
  switch (algorithm) {
    case Algorithm::kWeightedRoundRobin:
      return build_turns(list);
    case Algorithm::kLeastSources: {
      Ring ring;
      for (const RingMember& member : list) ring.push_back(member.position);
      return ring;
    }
    default:
      return build_ring(list, key);
  }
}

void build_rings(Service& service, const Names& names, const HashKey& key) {
  const std::vector<RingMember> list4 = competitors(service, names, false), list6 = competitors(service, names, true);
  const auto build = [&](const auto& list) {
    return std::make_shared<const Ring>(build_ring_of(service.algorithm, list, key));
  };
  service.ring[0] = build(list4);
  service.ring[1] = list4 == list6 ? service.ring[0] : build(list6);
}

std::span<const uint8_t> read_prefixes(Reader& reader, const char* field, bool is_v6) {
  const size_t row_bytes = PrefixTable::row_bytes(is_v6);
  const auto length = reader.number<uint32_t>(field);
  if (length % row_bytes != 0)
    reader.fail(field, std::to_string(length) + " bytes", "a multiple of " + std::to_string(row_bytes));
  const std::span<const uint8_t> rows{reader.take(length, field), length};
  for (size_t at = address_length(is_v6); at < length; at += row_bytes)
    if (rows[at] > address_bits(is_v6))
      reader.fail(field, "length " + std::to_string(rows[at]), "at most " + std::to_string(address_bits(is_v6)));
  return rows;
}

PinSet read_pin_set(Reader& reader, const Service& service) {
  PinSet set;
  read_list(reader, "members", 2, set.members, [&] {
    const auto member = reader.number<uint16_t>("member");
    if (member >= service.members.size())
      reader.fail("member", std::to_string(member), "a position below " + std::to_string(service.members.size()));
    return member;
  });
  return set;
}

// A pin holds for draining containers and those of weight 0 too, where its set has no others.
Ring pin_ring(const PinSet& set, const Service& service, const Names& names, bool is_v6, const HashKey& key) {
  std::vector<RingMember> taking, usable;
  for (const uint16_t position : set.members) {
    const Member& member = service.members[position];
    if (member.weight[is_v6] > 0) taking.push_back({names[position], member.weight[is_v6], position});
    if (member.is_usable[is_v6]) usable.push_back({names[position], 1, position});
  }
  const std::vector<RingMember>& list = taking.empty() ? usable : taking;
  return list.size() == 1 ? Ring{list[0].position} : build_ring(list, key);
}

struct ReadTable {
  enum Kind : uint8_t { kNone, kKnown, kGiven };
  Kind kind;
  std::shared_ptr<const PrefixTable> table;  // null unless given
};

ReadTable read_table(Reader& reader, const char* field, const char* field4, const char* field6) {
  const auto kind = static_cast<ReadTable::Kind>(reader.number<uint8_t>(field, ReadTable::kNone, ReadTable::kGiven));
  if (kind != ReadTable::kGiven) return {kind, nullptr};
  const auto rows4 = read_prefixes(reader, field4, false), rows6 = read_prefixes(reader, field6, true);
  return {kind, std::make_shared<const PrefixTable>(rows4, rows6)};
}

void read_pins(Reader& reader, Service& service, const Names& names, const HashKey& key) {
  const auto [kind, table] = read_table(reader, "pins", "pins4", "pins6");
  if (kind == ReadTable::kNone) return;
  service.has_known_pins = kind == ReadTable::kKnown;
  service.pins = table;
  read_list(reader, "pin sets", 4, service.pin_sets, [&] { return read_pin_set(reader, service); });
  for (PinSet& set : service.pin_sets)
    for (const bool is_v6 : {false, true}) set.ring[is_v6] = pin_ring(set, service, names, is_v6, key);
}

Admission read_admission(Reader& reader) {
  Admission admission{};
  const auto [kind, table] = read_table(reader, "admission", "admission4", "admission6");
  if (kind == ReadTable::kNone) return admission;
  if (table != nullptr && table->numbers() > Admission::kAllowed + 1)
    reader.fail("admission", "number " + std::to_string(table->numbers() - 1), "0 or 1");
  admission.table = table;
  admission.is_known = kind == ReadTable::kKnown;
  admission.is_open = reader.boolean("is open");
  admission.is_dropping = reader.boolean("denied");
  return admission;
}

// What a service's fronts have in common.
struct FrontParts {
  Address masks[2];
  bool is_by_flow;
};

Front read_front(Reader& reader, const Service& service, const FrontParts& parts) {
  Front front{};
  front.service = &service;
  front.service_id = service.id;
  front.is_v6 = reader.boolean("is v6");
  front.mask = parts.masks[front.is_v6];
  front.is_by_flow = parts.is_by_flow;
  front.protocol = reader.number<uint8_t>("protocol");
  if (front.protocol != 0 && front.protocol != tcp::kNumber && front.protocol != udp::kNumber)
    reader.fail("protocol", std::to_string(front.protocol), "0, 6 or 17");
  // Only TCP and UDP have the ports that a rewrite writes.
  const uint16_t least = front.protocol == 0 ? 0 : 1, most = front.protocol == 0 ? 0 : 0xffff;
  front.port = swap16(reader.number<uint16_t>("port", least, most));
  front.target = swap16(reader.number<uint16_t>("target", least, most));
  front.scope = reader.number<uint32_t>("scope", 0, kScopesBelow - 1);
  front.idle = reader.number<uint32_t>("idle seconds");
  front.quota = reader.number<uint32_t>("quota");
  front.address = reader.address("address", front.is_v6);
  return front;
}

std::unique_ptr<Service> read_service(Reader& reader, const HashKey& key) {
  auto service = std::make_unique<Service>();
  service->id = reader.number<uint32_t>("id", 1, kIdsBelow - 1);
  FrontParts parts{};
  parts.masks[0] = mask_of(reader.number<uint8_t>("prefix4", 0, 32), false);
  parts.masks[1] = mask_of(reader.number<uint8_t>("prefix6", 0, 128), true);
  service->is_dropping_when_empty = reader.boolean("empty");
  parts.is_by_flow = reader.boolean("replies");
  service->algorithm = static_cast<Algorithm>(reader.number<uint8_t>("algorithm", 0, 3));
  service->seed = reader.number<uint32_t>("seed");
  const Names names = read_members(reader, *service);
  place_members(*service);
  build_rings(*service, names, key);
  read_pins(reader, *service, names, key);
  service->admission = read_admission(reader);
  read_list(reader, "fronts", 22, service->fronts, [&] { return read_front(reader, *service, parts); });
  return service;
}

void read_services(Reader& reader, Update& update) {
  std::unordered_set<uint32_t> ids;
  read_list(reader, "services", 22, update.services, [&] {
    auto service = read_service(reader, update.key);
    if (!ids.insert(service->id).second) reader.fail("id", std::to_string(service->id), "each id once");
    return service;
  });
}

}  // namespace

Update decode_update(std::span<const uint8_t> encoded) {
  Reader reader(encoded);
  if (reader.number<uint32_t>("magic") != kMagic) reader.fail("magic", "another", "1hop");
  reader.number<uint32_t>("version", kVersion, kVersion);
  if (encoded.size() > UINT32_MAX) reader.fail("length", std::to_string(encoded.size()), "less than 4 GiB");
  Update update{};
  std::memcpy(&update.key, reader.take(sizeof update.key, "key"), sizeof update.key);
  update.is_dropping_unserved = reader.boolean("unserved");
  update.hairpin = read_hairpin(reader);
  update.new_sources = read_new_sources(reader);
  update.is_whole = reader.boolean("is whole");
  read_list(reader, "gone", 4, update.gone, [&] { return reader.number<uint32_t>("id", 1, kIdsBelow - 1); });
  read_services(reader, update);
  reader.end();
  return update;
}

}  // namespace onehop

#include "snapshot.h"

#include <cstring>
#include <stdexcept>
#include <string>
#include <unordered_set>

#include "../packet/tcp.h"
#include "../packet/udp.h"

namespace onehop {

namespace {

constexpr uint32_t kMagic = 0x706f6831;  // "1hop"
constexpr uint32_t kVersion = 2;

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

// Reads a list element by element into the snapshot's own array; returns where they lie there.
template <typename Element, typename ReadOne>
Range read_list(Reader& reader, const char* list, size_t element_bytes, std::vector<Element>& into, ReadOne read_one) {
  const Range range{static_cast<uint32_t>(into.size()), reader.count(list, element_bytes)};
  reader.enter(list);
  for (uint32_t i = 0; i < range.count; i++) {
    reader.at(i);
    into.push_back(read_one());
  }
  reader.leave();
  return range;
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

SnapshotContainer read_container(Reader& reader, std::unordered_set<uint32_t>& ids) {
  SnapshotContainer container{};
  container.id = reader.number<uint32_t>("id", 1, kIdsBelow - 1);
  if (!ids.insert(container.id).second) reader.fail("id", std::to_string(container.id), "each id once");
  container.state = static_cast<ContainerState>(reader.number<uint8_t>("state", 0, 2));
  container.has_address[0] = reader.boolean("has address4");
  container.has_address[1] = reader.boolean("has address6");
  if (container.has_address[0]) container.address[0] = reader.address("address4", false);
  if (container.has_address[1]) container.address[1] = reader.address("address6", true);
  return container;
}

Member read_member(Reader& reader, const std::vector<SnapshotContainer>& containers) {
  const auto position = reader.number<uint32_t>("container");
  if (position >= containers.size())
    reader.fail("container", std::to_string(position), "a position below " + std::to_string(containers.size()));
  const SnapshotContainer& container = containers[position];
  Member member{};
  member.container = container.id;
  member.position = position;
  member.port = swap16(reader.number<uint16_t>("port"));
  for (const int family : {0, 1}) {
    member.is_usable[family] = container.state != ContainerState::kDown && container.has_address[family];
    member.address[family] = container.address[family];
  }
  return member;
}

Pin read_pin(Reader& reader, const Range& members) {
  Pin pin{};
  pin.is_v6 = reader.boolean("is v6");
  pin.length = reader.number<uint8_t>("length", 0, static_cast<uint8_t>(address_bits(pin.is_v6)));
  const auto member = reader.number<uint16_t>("member");
  if (member >= members.count)
    reader.fail("member", std::to_string(member), "a position below " + std::to_string(members.count));
  pin.member = members.first + member;
  pin.prefix = masked(reader.address("prefix", pin.is_v6), mask_of(pin.length, pin.is_v6));
  return pin;
}

struct Owner {
  uint32_t position, id;
  bool is_by_flow;
  Address masks[2];
};

Front read_front(Reader& reader, const Owner& service) {
  Front front{};
  front.service = service.position;
  front.service_id = service.id;
  front.is_v6 = reader.boolean("is v6");
  front.mask = service.masks[front.is_v6];
  front.is_by_flow = service.is_by_flow;
  front.protocol = reader.number<uint8_t>("protocol");
  if (front.protocol != 0 && front.protocol != tcp::kNumber && front.protocol != udp::kNumber)
    reader.fail("protocol", std::to_string(front.protocol), "0, 6 or 17");
  // Only TCP and UDP have the ports that a rewrite writes.
  const uint16_t least = front.protocol == 0 ? 0 : 1, most = front.protocol == 0 ? 0 : 0xffff;
  front.port = swap16(reader.number<uint16_t>("port", least, most));
  front.target = swap16(reader.number<uint16_t>("target", least, most));
  front.scope = reader.number<uint32_t>("scope", 0, kScopesBelow - 1);
  front.address = reader.address("address", front.is_v6);
  return front;
}

struct Families {
  bool has[2];
};

// Every row must lead to a member that has an address of each family that the ring is for.
Range read_ring(Reader& reader, const char* field, const Range& members, Families families, Snapshot& snapshot) {
  const auto is_reachable = [&](uint16_t row) {
    if (row >= members.count) return false;
    const bool* has = snapshot.containers[snapshot.members[members.first + row].position].has_address;
    return (has[0] || !families.has[0]) && (has[1] || !families.has[1]);
  };
  const Range ring{static_cast<uint32_t>(snapshot.rows.size()), reader.count(field, sizeof(uint16_t))};
  if (ring.count >= kRingRowsBelow)
    reader.fail(field, std::to_string(ring.count) + " rows", "fewer than " + std::to_string(kRingRowsBelow));
  const uint8_t* bytes = reader.take(size_t{ring.count} * sizeof(uint16_t), field);
  snapshot.rows.resize(snapshot.rows.size() + ring.count);
  uint16_t* rows = snapshot.rows.data() + ring.first;
  std::memcpy(rows, bytes, size_t{ring.count} * sizeof(uint16_t));
  for (uint32_t i = 0; i < ring.count; i++)
    if (!is_reachable(rows[i]))
      reader.fail(field, "row " + std::to_string(rows[i]), "the position of a member with an address of the family");
  return ring;
}

SnapshotService read_service(Reader& reader, uint32_t position, Snapshot& snapshot) {
  SnapshotService service{};
  service.id = reader.number<uint32_t>("id", 1, kIdsBelow - 1);
  Owner owner{position, service.id, false, {}};
  owner.masks[0] = mask_of(reader.number<uint8_t>("prefix4", 0, 32), false);
  owner.masks[1] = mask_of(reader.number<uint8_t>("prefix6", 0, 128), true);
  service.is_dropping_when_empty = reader.boolean("empty");
  owner.is_by_flow = reader.boolean("replies");
  const bool has_one_ring = reader.boolean("has one ring");
  service.idle = reader.number<uint32_t>("idle seconds");
  service.quota = reader.number<uint32_t>("quota");
  service.members = read_list(reader, "members", 6, snapshot.members,
                              [&] { return read_member(reader, snapshot.containers); });
  if (service.members.count > 0xffff)
    reader.fail("members", std::to_string(service.members.count), "at most 65535");
  service.pins = read_list(reader, "pins", 8, snapshot.pins, [&] { return read_pin(reader, service.members); });
  service.fronts = read_list(reader, "fronts", 14, snapshot.fronts, [&] { return read_front(reader, owner); });
  service.ring[0] = read_ring(reader, "ring4", service.members, {true, has_one_ring}, snapshot);
  service.ring[1] =
      has_one_ring ? service.ring[0] : read_ring(reader, "ring6", service.members, {false, true}, snapshot);
  return service;
}

}  // namespace

Snapshot decode_snapshot(std::span<const uint8_t> encoded) {
  Reader reader(encoded);
  if (reader.number<uint32_t>("magic") != kMagic) reader.fail("magic", "another", "1hop");
  reader.number<uint32_t>("version", kVersion, kVersion);
  if (encoded.size() > UINT32_MAX) reader.fail("length", std::to_string(encoded.size()), "less than 4 GiB");
  Snapshot snapshot{};
  snapshot.rows.reserve(encoded.size() / sizeof(uint16_t));  // enough in any case; what stays untouched costs nothing
  std::memcpy(&snapshot.key, reader.take(sizeof snapshot.key, "key"), sizeof snapshot.key);
  snapshot.is_dropping_unserved = reader.boolean("unserved");
  snapshot.hairpin = read_hairpin(reader);
  std::unordered_set<uint32_t> container_ids;
  read_list(reader, "containers", 7, snapshot.containers, [&] { return read_container(reader, container_ids); });
  uint32_t position = 0;
  read_list(reader, "services", 33, snapshot.services, [&] { return read_service(reader, position++, snapshot); });
  reader.end();
  return snapshot;
}

}  // namespace onehop

#include "mutator.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "../src/packet/bytes.h"
#include "steps.h"
#include "sums.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t length, size_t most);

namespace onehop::fuzz {

namespace {

// xorshift: a handful of choices for each input.
class Chance {
 public:
  explicit Chance(uint32_t seed) : state_(seed * 2654435761u | 1) {}
  uint32_t below(size_t most) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return static_cast<uint32_t>(uint64_t{state_} * most >> 32);
  }
  bool one_in(uint32_t times) { return below(times) == 0; }
  uint8_t byte() { return static_cast<uint8_t>(below(256)); }

 private:
  uint32_t state_;
};

// An input taken to its steps.
class Steps {
 public:
  Steps(uint8_t* input, size_t length, size_t most) : input_(input), length_(length), most_(most) { list(); }

  size_t count() const { return count_; }
  size_t length() const { return length_; }
  uint8_t* at(size_t step) const { return input_ + slices_[step].at; }
  size_t length_of(size_t step) const { return slices_[step].length; }
  StepKind kind(size_t step) const { return static_cast<StepKind>(at(step)[0] % kStepKinds); }
  bool is_packet(size_t step) const { return fuzz::is_packet(kind(step)); }

  void erase(size_t step) {
    const Slice slice = slices_[step];
    std::memmove(input_ + slice.at, input_ + slice.at + slice.length, length_ - slice.at - slice.length);
    length_ -= slice.length;
    list();
  }
  bool has_room(size_t count) const { return length_ + count <= most_; }
  // False, and nothing changed, when there is no room.
  bool insert(const uint8_t* place, const uint8_t* bytes, size_t count) {
    if (!has_room(count)) return false;
    const auto at = static_cast<size_t>(place - input_);
    std::array<uint8_t, kStepHeader + 255> copy;  // `bytes` may lie in the input itself
    std::memcpy(copy.data(), bytes, count);
    std::memmove(input_ + at + count, input_ + at, length_ - at);
    std::memcpy(input_ + at, copy.data(), count);
    length_ += count;
    list();
    return true;
  }

 private:
  struct Slice {
    size_t at, length;
  };

  void list() {
    std::span<const uint8_t> left{input_ + kInputHeader, length_ - kInputHeader};
    Step step;
    for (count_ = 0; count_ < kStepsAtMost; count_++) {
      const size_t at = length_ - left.size();
      if (!take_step(left, step)) break;
      slices_[count_] = {at, length_ - left.size() - at};
    }
  }

  uint8_t* input_;
  size_t length_, most_, count_ = 0;
  std::array<Slice, kStepsAtMost> slices_;
};

// The bytes of a packet step that are the packet, without its offload header.
struct Body {
  uint8_t* bytes;
  uint32_t length, whole;
};

Body body_of(Steps& steps, size_t step) {
  uint8_t* header = steps.at(step);
  Body body{header + kStepHeader, static_cast<uint32_t>(steps.length_of(step) - kStepHeader), 0};
  if ((header[3] & 1) != 0 && body.length >= kVnetHeader) {
    body.bytes += kVnetHeader;
    body.length -= kVnetHeader;
  }
  body.whole = stretched(body.length, header[2]);
  return body;
}

// Makes the length fields and, as far as no stretching follows, the sums what they should be.
void put_right(const Body& body) {
  uint8_t* bytes = body.bytes;
  if (body.length < 20) return;
  const bool is_v6 = bytes[0] >> 4 == 6;
  if (is_v6 && body.length < 40) return;
  store16(bytes + (is_v6 ? 4 : 2), static_cast<uint16_t>(is_v6 ? body.whole - 40 : body.whole));
  const Layout layout = layout_of(bytes, body.length);
  if (!layout.is_ip) return;
  if (layout.protocol == 17 && !layout.is_later_fragment && layout.length - layout.transport >= 8)
    store16(bytes + layout.transport + 4, static_cast<uint16_t>(body.whole - layout.transport));
  write_sums(bytes, body.length);
}

// Sends a packet to, or lets it come from, somebody that the world knows.
void redirect(const World& world, const Body& body, Chance& chance) {
  const Layout layout = layout_of(body.bytes, body.length);
  if (!layout.is_ip || world.ends().empty()) return;
  const World::End& end = world.ends()[chance.below(world.ends().size())];
  if (end.is_v6 != layout.is_v6) return;
  const bool is_source = chance.one_in(3);
  const uint32_t length = address_length(end.is_v6), source = end.is_v6 ? 8 : 12;
  std::memcpy(body.bytes + source + (is_source ? 0 : length), bytes_of(end.address, end.is_v6), length);
  const bool has_ports = !layout.is_later_fragment && layout.length - layout.transport >= 4;
  if (end.port != 0 && has_ports) store16(body.bytes + layout.transport + (is_source ? 0 : 2), end.port);
}

constexpr uint8_t kProtocols[] = {6, 6, 17, 17, 1, 58, 136, 132, 47, 50, 0, 43, 44, 51, 60, 59, 135, 33, 139, 4, 41};

void set_protocol(const Body& body, Chance& chance) {
  if (body.length < 20) return;
  body.bytes[body.bytes[0] >> 4 == 6 ? 6 : 9] = kProtocols[chance.below(sizeof kProtocols)];
}

// First, middle and last ones; with IPv6 only where a fragment header stands already.
void set_fragment(const Body& body, Chance& chance) {
  constexpr uint16_t kFields[] = {0x2000, 0x2001, 0x0001, 0x2010, 0x0010, 0x4000, 0, 0x1fff};
  if (body.length < 20) return;
  const uint16_t field = kFields[chance.below(8)];
  if (body.bytes[0] >> 4 != 6)
    store16(body.bytes + 6, field);
  else if (body.length >= 48 && body.bytes[6] == 44)
    store16(body.bytes + 42, static_cast<uint16_t>(field << 3 | (field >> 13 & 1)));
}

// Puts an IPv6 extension header of eight bytes behind the IPv6 header; a routing one ends at its stop, mostly.
void add_extension(Steps& steps, size_t step, Chance& chance) {
  constexpr uint8_t kKinds[] = {0, 43, 44, 60}, kLength = 8;
  uint8_t* header = steps.at(step);
  const Body body = body_of(steps, step);
  const bool has_room = header[1] <= 255 - kLength && steps.length_of(step) == kStepHeader + header[1];
  if (body.length < 40 || body.bytes[0] >> 4 != 6 || !has_room || !steps.has_room(kLength)) return;
  uint8_t extension[kLength] = {body.bytes[6]};
  body.bytes[6] = kKinds[chance.below(4)];
  if (body.bytes[6] == 43) extension[3] = chance.one_in(4) ? 1 : 0;
  header[1] = static_cast<uint8_t>(header[1] + kLength);
  steps.insert(body.bytes + 40, extension, kLength);
}

// Puts an offload header in front of a packet that has none; false when there is no room.
bool give_offload(Steps& steps, size_t step) {
  constexpr uint8_t kNone[kVnetHeader] = {};
  uint8_t* header = steps.at(step);
  const bool has_room = header[1] <= 255 - kVnetHeader && steps.length_of(step) == kStepHeader + header[1];
  if ((header[3] & 1) != 0) return steps.length_of(step) >= kStepHeader + kVnetHeader;
  if (!has_room || !steps.has_room(kVnetHeader)) return false;
  header[1] = static_cast<uint8_t>(header[1] + kVnetHeader);
  header[3] |= 1;
  return steps.insert(header + kStepHeader, kNone, kVnetHeader);
}

// What a kernel would say of the packet, now and then slightly wrong.
void set_offload(Steps& steps, size_t step, Chance& chance) {
  constexpr uint8_t kTypes[] = {0, 1, 4, 5, 3, 0x81, 0x84, 2};
  if (!give_offload(steps, step)) return;
  const Body body = body_of(steps, step);
  const Layout layout = layout_of(body.bytes, body.length);
  const uint32_t checksum = layout.is_ip ? checksum_at(layout) : 0;
  const uint16_t fields[4] = {0, static_cast<uint16_t>(chance.below(1500)), static_cast<uint16_t>(layout.transport),
                              static_cast<uint16_t>(checksum == 0 ? 0 : checksum - layout.transport)};
  uint8_t* vnet = steps.at(step) + kStepHeader;
  vnet[0] = chance.one_in(8) ? 0 : 1;
  vnet[1] = kTypes[chance.below(8)];
  std::memcpy(vnet + 2, fields, sizeof fields);
  if (chance.one_in(3)) vnet[2 + chance.below(8)] = chance.byte();
  if (!chance.one_in(8)) return;
  const uint16_t last[2] = {static_cast<uint16_t>(std::min(body.whole - 2, 0xffffu) - chance.below(16)), 0};
  std::memcpy(vnet + 6, last, sizeof last);
}

void mutate_packet(const World& world, Steps& steps, size_t step, Chance& chance) {
  const Body body = body_of(steps, step);
  if (body.length == 0) return;
  switch (chance.below(9)) {
    case 0:
    case 1:
      redirect(world, body, chance);
      break;
    case 6:
      add_extension(steps, step, chance);
      break;
    case 2:
      set_protocol(body, chance);
      break;
    case 3:
      set_fragment(body, chance);
      break;
    case 4:
      steps.at(step)[2] = chance.one_in(2) ? 0 : chance.byte();
      break;
    case 5:
      return set_offload(steps, step, chance);
    default:
      LLVMFuzzerMutate(body.bytes, body.length, body.length);
  }
  if (!chance.one_in(4)) put_right(body_of(steps, step));
}

// Takes a step away, doubles it, or adds one that needs no bytes.
void mutate_order(Steps& steps, uint8_t* first, Chance& chance) {
  const size_t step = steps.count() == 0 ? 0 : chance.below(steps.count());
  const uint8_t* place = steps.count() == 0 ? first : steps.at(step) + steps.length_of(step);
  if (steps.count() > 0 && chance.one_in(3)) return steps.erase(step);
  if (steps.count() > 0 && chance.one_in(2)) {
    steps.insert(place, steps.at(step), steps.length_of(step));
    return;
  }
  constexpr StepKind kKinds[] = {StepKind::kAnswer, StepKind::kAnswer, StepKind::kFollow, StepKind::kFollow,
                                 StepKind::kError,  StepKind::kError,  StepKind::kTime,   StepKind::kExpire};
  const auto argument = [&chance] { return chance.one_in(2) ? uint8_t{0} : chance.byte(); };
  const auto kind = static_cast<uint8_t>(chance.one_in(64) ? StepKind::kPublish : kKinds[chance.below(8)]);
  const uint8_t added[kStepHeader] = {kind, argument(), argument(), argument()};
  steps.insert(place, added, sizeof added);
}

// Publishing takes as long as dozens of packets, and mutations of one input that does it would all do it.
void drop_publishing(Steps& steps) {
  for (size_t step = 0; step < steps.count(); step++)
    if (steps.kind(step) == StepKind::kPublish) return steps.erase(step);
}

}  // namespace

size_t mutate_bytes(uint8_t* input, size_t length, size_t most) { return LLVMFuzzerMutate(input, length, most); }

size_t mutate(const World& world, uint8_t* input, size_t length, size_t most, uint32_t seed) {
  Chance chance(seed);
  if (chance.one_in(16)) return mutate_bytes(input, length, most);
  if (chance.one_in(32)) input[chance.below(kInputHeader)] = chance.byte();
  Steps steps(input, length, most);
  if (!chance.one_in(64)) drop_publishing(steps);
  const size_t step = steps.count() == 0 ? 0 : chance.below(steps.count());
  if (steps.count() == 0 || chance.one_in(3))
    mutate_order(steps, input + kInputHeader, chance);
  else if (steps.is_packet(step))
    mutate_packet(world, steps, step, chance);
  else
    steps.at(step)[1 + chance.below(3)] = chance.byte();
  return steps.length();
}

}  // namespace onehop::fuzz

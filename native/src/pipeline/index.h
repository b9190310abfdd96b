// Key → position in some array: open addressing, filled once and then only read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../packet/address.h"

namespace onehop {

struct IndexKey {
  Address address;
  uint64_t rest;
  bool operator==(const IndexKey&) const = default;

  // Who sends packets chooses what is looked up, but not what is in an index: runs stay as they are.
  uint64_t hash() const {
    constexpr uint64_t kOdd1 = 0x9e3779b97f4a7c15, kOdd2 = 0xd6e8feb86659fd93;
    uint64_t sum = address.high * kOdd1 + std::rotl(address.low, 32) * kOdd2 + rest;
    sum = (sum ^ sum >> 32) * kOdd2;
    return sum ^ sum >> 29;
  }
};

class Index {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Room for `most` keys, at most two thirds of the slots in use.
  explicit Index(size_t most = 0) : slots_(std::bit_ceil(most + most / 2 + 1)) {}

  uint32_t find(const IndexKey& key) const { return slots_[slot_of(key)].position; }

  // The key's position, which is `position` when it had none.
  uint32_t insert(const IndexKey& key, uint32_t position) {
    Slot& slot = slots_[slot_of(key)];
    if (slot.position == kNone) slot = {key, position};
    return slot.position;
  }

  void set(const IndexKey& key, uint32_t position) { slots_[slot_of(key)] = {key, position}; }

 private:
  struct Slot {
    IndexKey key{};
    uint32_t position = kNone;
  };

  // Where the key is, or the free slot where it would be.
  size_t slot_of(const IndexKey& key) const {
    const size_t mask = slots_.size() - 1;
    size_t at = key.hash() & mask;
    while (slots_[at].position != kNone && !(slots_[at].key == key)) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
};

}  // namespace onehop

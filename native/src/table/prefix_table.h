// Source prefixes, a million of them at need, each with a number: the table of src/prefix-table.ts. One open-addressed
// table a family, filled once and then only read; a lookup probes it once for each length that occurs, longest first.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "../packet/address.h"

namespace onehop {

class PrefixTable {
 public:
  // A row is the prefix in network order (4 or 16 bytes), its length (u8), and the number (u16, little-endian).
  static constexpr size_t row_bytes(bool is_v6) { return address_length(is_v6) + 3; }

  // Rows whose lengths fit their family and that have no bits set behind them. Of equal prefixes the first counts.
  PrefixTable(std::span<const uint8_t> rows4, std::span<const uint8_t> rows6) {
    fill(four_, rows4, false);
    fill(six_, rows6, true);
  }

  bool has_any(bool is_v6) const { return !lengths_[is_v6].empty(); }
  // The most bits that a prefix has; 0: there is none.
  uint32_t longest(bool is_v6) const { return lengths_[is_v6].empty() ? 0 : lengths_[is_v6].front().bits; }
  // Above all numbers that a lookup gives.
  uint32_t numbers() const { return numbers_; }

  // Calls `take` with the number of each prefix that covers an address, longest first, until it returns true.
  template <typename Take>
  void for_each_covering(const Address& address, bool is_v6, Take take) const {
    for (const Length& length : lengths_[is_v6]) {
      const Address prefix = masked(address, length.mask);
      const uint16_t found = is_v6 ? find(six_, {prefix.high, prefix.low}, length.bits)
                                   : find(four_, {static_cast<uint32_t>(prefix.low >> 32)}, length.bits);
      if (found != kNone && take(found)) return;
    }
  }

 private:
  static constexpr uint16_t kNone = 0xffff;

  struct Length {
    Address mask;
    uint8_t bits;
  };
  struct Key4 {
    uint32_t bytes;
    bool operator==(const Key4&) const = default;
    uint64_t word() const { return bytes; }
  };
  struct Key6 {
    uint64_t high, low;
    bool operator==(const Key6&) const = default;
    uint64_t word() const { return high * 0x9e3779b97f4a7c15 + std::rotl(low, 32); }
  };
  template <typename Key>
  struct Slot {
    Key key;
    uint16_t number = kNone;
    uint8_t bits;
  };
  static_assert(sizeof(Slot<Key4>) == 8 && sizeof(Slot<Key6>) == 24);
  template <typename Key>
  using Slots = std::vector<Slot<Key>>;

  // Who sends packets chooses what is looked up, but not what is in the table: runs stay as they are.
  template <typename Key>
  static size_t slot_of(const Slots<Key>& slots, const Key& key, uint8_t bits) {
    const size_t mask = slots.size() - 1;
    uint64_t hash = (key.word() + bits) * 0xd6e8feb86659fd93;
    hash ^= hash >> 32;
    size_t at = hash * 0x9e3779b97f4a7c15 >> 20 & mask;
    while (slots[at].number != kNone && !(slots[at].key == key && slots[at].bits == bits)) at = (at + 1) & mask;
    return at;
  }
  template <typename Key>
  static uint16_t find(const Slots<Key>& slots, const Key& key, uint8_t bits) {
    return slots[slot_of(slots, key, bits)].number;
  }

  template <typename Key>
  void fill(Slots<Key>& slots, std::span<const uint8_t> rows, bool is_v6) {
    const size_t count = rows.size() / row_bytes(is_v6);
    slots.resize(std::bit_ceil(count + count / 2 + 1));
    bool occurs[129] = {};
    for (size_t i = 0; i < count; i++) {
      const uint8_t* row = rows.data() + i * row_bytes(is_v6);
      const uint8_t* rest = row + address_length(is_v6);
      Slot<Key> slot{};
      std::memcpy(&slot.key, row, sizeof slot.key);
      slot.bits = rest[0];
      slot.number = static_cast<uint16_t>(rest[1] | rest[2] << 8);
      Slot<Key>& place = slots[slot_of(slots, slot.key, slot.bits)];
      if (place.number != kNone) continue;
      place = slot;
      occurs[slot.bits] = true;
      numbers_ = std::max(numbers_, uint32_t{slot.number} + 1);
    }
    for (int bits = 128; bits >= 0; bits--)
      if (occurs[bits]) lengths_[is_v6].push_back({mask_of(static_cast<uint32_t>(bits), is_v6), static_cast<uint8_t>(bits)});
  }

  Slots<Key4> four_;
  Slots<Key6> six_;
  std::vector<Length> lengths_[2];  // longest first
  uint32_t numbers_ = 0;
};

}  // namespace onehop

// What an entry is found by: a scope and a source masked to the service's affinity prefix.
#pragma once

#include <cstdint>
#include <cstring>

#include "../packet/address.h"
#include "siphash.h"

namespace onehop {

struct SourceKey {
  Address source;
  uint32_t scope;  // below 2^24
  bool is_v6;
  bool operator==(const SourceKey&) const = default;

  // The scope with the family beside it: one word that tells keys of either family apart.
  uint32_t scope_word() const { return scope << 1 | (is_v6 ? 1 : 0); }

  // 20 bytes, as src/table/source.ts hashes them.
  uint64_t ring_hash(const HashKey& key) const {
    uint8_t bytes[20];
    std::memcpy(bytes, &source, 16);
    std::memcpy(bytes + 16, &scope, 4);
    return siphash(key, bytes, sizeof bytes);
  }
};

enum class Origin : uint8_t { kPinned, kAssigned, kRestored };

// What an entry's source has sent, since there is an entry.
struct EntryTally {
  uint32_t packets = 0;  // stays at the most that fits
  uint64_t bytes = 0;
};

// What is remembered of a source.
struct EntryValue {
  uint32_t container;  // id, below 2^30
  Origin origin;
  uint32_t since, seen;  // seconds; before the clock's zero they have wrapped
  EntryTally tally{};
};

constexpr uint32_t kContainersBelow = 1 << 30;
inline uint32_t container_origin_of(const EntryValue& value) {
  return value.container | uint32_t{static_cast<uint8_t>(value.origin)} << 30;
}
inline uint32_t container_of(uint32_t container_origin) { return container_origin & (kContainersBelow - 1); }
inline Origin origin_of(uint32_t container_origin) { return static_cast<Origin>(container_origin >> 30); }

// Out-of-order times count as just seen. The difference is right for times that have wrapped, too.
inline bool is_idle(uint32_t seen, uint32_t now, uint32_t idle) {
  return int64_t{static_cast<int32_t>(now - seen)} > int64_t{idle};
}

}  // namespace onehop

// What an entry is found by: a scope and a source masked to the service's affinity prefix.
#pragma once

#include <cstdint>
#include <cstring>

#include "../packet/address.h"
#include "siphash.h"

namespace onehop {

struct SourceKey {
  Address source;
  uint32_t scope;  // below 2^31
  bool is_v6;

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

// What is remembered of a source.
struct EntryValue {
  uint32_t container;  // id, below 2^30
  Origin origin;
  uint32_t since, seen;  // seconds
};

// Out-of-order times count as just seen.
inline bool is_idle(uint32_t seen, uint32_t now, uint32_t idle) {
  return int64_t{now} - int64_t{seen} > int64_t{idle};
}

}  // namespace onehop

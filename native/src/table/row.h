// An entry as it crosses to JavaScript and back, many at a time: 48 bytes, which src/table/rows.ts reads and writes.
#pragma once

#include <cstdint>

#include "source.h"

namespace onehop {

struct Row {
  Address source;
  uint32_t scope_word;        // SourceKey's
  uint32_t container_origin;  // origin in the top two bits
  uint32_t since, seen;       // seconds
  uint32_t packets;
  uint32_t change;            // 0; of a change, what change_word says
  uint64_t bytes;

  SourceKey key() const { return {source, scope_word >> 1, (scope_word & 1) != 0}; }
  EntryValue value() const {
    return {container_of(container_origin), origin_of(container_origin), since, seen, {packets, bytes}};
  }
};
static_assert(sizeof(Row) == 48);

// Where the source was before, 0 without an entry; in the low bits whether there is no entry any more (nothing
// else but the key is valid then), and whether that is because it was idle.
inline uint32_t change_word(uint32_t former, bool is_gone, bool is_idle) {
  return former << 2 | uint32_t{is_idle} << 1 | uint32_t{is_gone};
}

inline Row row_of(const SourceKey& key, const EntryValue& value, uint32_t change = 0) {
  return {key.source, key.scope_word(), container_origin_of(value), value.since, value.seen,
          value.tally.packets, change, value.tally.bytes};
}

inline Row gone_row(const SourceKey& key, uint32_t former, bool is_idle) {
  return {key.source, key.scope_word(), 0, 0, 0, 0, change_word(former, true, is_idle), 0};
}

}  // namespace onehop

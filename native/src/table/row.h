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
  uint32_t is_gone;           // 1: there is no such entry any more, and nothing else but the key is valid
  uint64_t bytes;

  SourceKey key() const { return {source, scope_word >> 1, (scope_word & 1) != 0}; }
  EntryValue value() const {
    return {container_of(container_origin), origin_of(container_origin), since, seen, {packets, bytes}};
  }
};
static_assert(sizeof(Row) == 48);

inline Row row_of(const SourceKey& key, const EntryValue& value) {
  return {key.source, key.scope_word(), container_origin_of(value), value.since, value.seen,
          value.tally.packets, 0, value.tally.bytes};
}

inline Row gone_row(const SourceKey& key) { return {key.source, key.scope_word(), 0, 0, 0, 0, 1, 0}; }

}  // namespace onehop

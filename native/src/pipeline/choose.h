// The algorithm: src/pipeline/choose.ts.
#pragma once

#include <unordered_map>

#include "../table/new_sources.h"
#include "../table/table.h"
#include "../table/turns.h"
#include "lookup.h"

namespace onehop {

// By container's id: sources that stand on it beside those that the table says.
using SourcesMore = std::unordered_map<uint32_t, int32_t>;

// What a decision goes by besides the source and its entry. Of the algorithms maglev goes by nothing of it.
struct Past {
  const Entries& entries;
  TurnCounters& turns;
  bool is_taking;  // false: whoever's turn it is keeps it
  const SourcesMore* more = nullptr;  // of a forecast
  const NewSources* new_sources = nullptr;  // null: whoever nobody knows needs no place on probation
  uint32_t now = 0;                         // seconds; valid with `new_sources`

  uint32_t sources_on(uint32_t container) const {
    const uint32_t sources = entries.sources_on(container);
    if (more == nullptr) [[likely]] return sources;
    const auto found = more->find(container);
    return found == more->end() ? sources : sources + static_cast<uint32_t>(found->second);
  }
};

// A member for a source that nobody knows, or null when none takes new ones.
const Member* choose(const Front& front, const SourceKey& key, const HashKey& hash_key, const Past& past);

}  // namespace onehop

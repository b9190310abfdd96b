// The algorithm: src/pipeline/choose.ts.
#pragma once

#include "../table/table.h"
#include "../table/turns.h"
#include "lookup.h"

namespace onehop {

// What the algorithms go by besides the source; maglev by nothing.
struct Past {
  const Entries& entries;
  TurnCounters& turns;
  bool is_taking;  // false: whoever's turn it is keeps it
};

// A member for a source that nobody knows, or null when none takes new ones.
const Member* choose(const Front& front, const SourceKey& key, const HashKey& hash_key, const Past& past);

}  // namespace onehop

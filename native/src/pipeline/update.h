// What makes a snapshot of the one before it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "../table/new_sources.h"
#include "snapshot.h"

namespace onehop {

struct Update {
  HashKey key;
  bool is_dropping_unserved;
  Hairpin hairpin;
  NewSourceLimits new_sources;
  bool is_whole;               // nothing of the snapshot before stays
  std::vector<uint32_t> gone;  // ids of services
  std::vector<std::unique_ptr<Service>> services;  // that came or changed; one an id
};

// Reads the form src/dataplane/encode.ts describes. Throws std::invalid_argument that names the field, its
// value and what was expected.
Update decode_update(std::span<const uint8_t> encoded);

}  // namespace onehop

// The sources that the programs serve: taken when packet threads offer them, and kept while they are heard.
#pragma once

#include <chrono>
#include <cstdint>

#include "../../bpf/maps.h"
#include "../pipeline/engine.h"
#include "map.h"
#include "offers.h"
#include "services.h"
#include "targets.h"

namespace onehop {

// The fast path's thread.
class Sources {
 public:
  Sources(int sources, Targets& targets) : sources_(sources), targets_(targets) {}

  enum class Taken : uint8_t { kYes, kNo, kFull };
  // Unless the source's service has changed since it was decided, or has to stay slow.
  Taken take(const Offer& offer, const Services& services, uint32_t now_seconds);

  // Looks through some more of the sources: tells the engine what they have sent in an epoch that is over, and makes room
  // where one was silent. True when that was the last of them.
  bool sweep(Engine& engine, uint32_t epoch, uint32_t now_seconds);
  // By the last whole sweep.
  uint64_t count() const { return count_; }

 private:
  Map<fast_source_key, fast_source> sources_;
  Targets& targets_;
  MapCursor cursor_;
  uint64_t counted_ = 0, count_ = 0;
};

}  // namespace onehop

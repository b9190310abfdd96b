// The sources that the programs serve: taken when packet threads offer them, kept while they are heard, and what was
// counted of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <unordered_set>

#include "../../bpf/maps.h"
#include "../pipeline/engine.h"
#include "map.h"
#include "offers.h"
#include "services.h"

namespace onehop {

// The fast path's thread, but for add_to.
class Sources {
 public:
  Sources(int sources, int traffic) : sources_(sources), traffic_(traffic) {}

  enum class Taken : uint8_t { kYes, kNo, kFull };
  // Unless the source's service has changed since it was decided, or has to stay slow.
  Taken take(const Offer& offer, const Services& services, uint32_t now_seconds);

  // Looks through some more of the sources: tells the engine what they have sent in an epoch that is over, and makes room
  // where one was silent. True when that was the last of them.
  bool sweep(Engine& engine, uint32_t epoch, uint32_t now_seconds);
  // By the last whole sweep.
  uint64_t count() const { return count_; }

  // Any thread: adds what the programs have counted.
  void add_to(Counters& counters) const;

 private:
  bool has_tally(uint32_t service, uint32_t container);

  Map<fast_source_key, fast_source> sources_;
  PerProcessorMap<fast_traffic_key, fast_traffic> traffic_;
  std::unordered_set<uint64_t> tallied_;  // service and container
  MapCursor cursor_;
  uint64_t counted_ = 0, count_ = 0;
};

}  // namespace onehop

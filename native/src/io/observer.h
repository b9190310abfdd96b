// Who hears of what the forwarder's threads find out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../pipeline/engine.h"
#include "neighbour_map.h"

namespace onehop {

class Observer {
 public:
  virtual ~Observer() = default;
  // On packet thread `reader`, between two packets: one of a settled source (engine.h) went its way, decided by the
  // snapshot of this version.
  virtual void forwarded(size_t reader, const Result& result, uint32_t version) = 0;
  // On the neighbours' thread.
  virtual void neighbours_changed(const NeighbourMap& map) = 0;
};

}  // namespace onehop

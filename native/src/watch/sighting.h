// A packet as it was seen on its way through a packet thread; src/watch/sighting.ts reads it.
#pragma once

#include <cstdint>

namespace onehop {

enum class Left : uint8_t { kNowhere, kBridge, kTun };

// Followed by the packet as it arrived and as it left, as much of each as is kept, then padding to a multiple of 8.
struct Sighting {
  uint32_t bytes;  // of it all
  uint8_t code;    // position in REASONS
  Left left;
  uint8_t is_partial;  // the checksum is a pseudo header's, for a device to finish: bit 0 as it arrived, 1 as it left
  uint8_t error;       // of the write: errno, or 0
  uint32_t service, container;
  uint64_t read_ns;                  // in the ring by CLOCK_MONOTONIC, from there on since 1970
  uint32_t decided_ns, written_ns;   // since then, 2^32 - 1 at the most
  uint32_t arrived_length, left_length;
  uint32_t arrived_kept, left_kept;
  uint32_t segment;  // what a device cuts the packet into, bytes of payload each; 0: it is one
  uint32_t lost;     // of this thread's, since the one before it
};
static_assert(sizeof(Sighting) == 64 - 8);

}  // namespace onehop

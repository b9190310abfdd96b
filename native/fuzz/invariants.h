// What must hold of every packet, whatever it was and wherever it went.
#pragma once

#include <cstdint>

#include "../src/io/vnet_header.h"
#include "../src/pipeline/engine.h"

namespace onehop::fuzz {

// A packet as it came.
struct Arrival {
  const uint8_t* bytes;
  uint32_t length;
  virtio_net_hdr vnet;
};

void check_outcome(const Arrival& before, const Packet& after, const Result& result);

// Ends the process, and with it the run, when a claim does not hold.
[[noreturn]] void broken(const char* claim);
inline void expect(bool holds, const char* claim) {
  if (!holds) [[unlikely]]
    broken(claim);
}

}  // namespace onehop::fuzz

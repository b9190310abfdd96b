// The packets that steps stand for, written as they arrive.
#pragma once

#include <cstdint>

#include "../src/io/vnet_header.h"
#include "steps.h"

namespace onehop::fuzz {

// A packet that left, short enough to be answered.
struct Departure {
  static constexpr uint32_t kMost = 1500;
  uint8_t bytes[kMost];
  uint32_t length = 0;
};

// Each writes to `bytes`, where there is room for 65,575, and returns the packet's length; 0 when there is nothing to
// answer.
uint32_t write_packet(const Step& step, uint8_t* bytes, virtio_net_hdr& vnet);
uint32_t write_response(const Departure& to, const Step& step, uint8_t* bytes, virtio_net_hdr& vnet);
uint32_t write_error(const Departure& about, const Step& step, uint8_t* bytes);

}  // namespace onehop::fuzz

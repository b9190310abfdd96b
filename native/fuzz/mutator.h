// Changes an input so that it stays worth playing: packets keep their lengths and checksums right more often than
// not, and go where somebody is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "worlds.h"

namespace onehop::fuzz {

// Both change `input` in place, where there is room for `most` bytes, and return its new length.
size_t mutate(const World& world, uint8_t* input, size_t length, size_t most, uint32_t seed);
size_t mutate_bytes(uint8_t* input, size_t length, size_t most);

}  // namespace onehop::fuzz

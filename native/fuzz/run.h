// One execution: an input's steps, played in its world, with every packet's outcome checked.
#pragma once

#include <cstdint>
#include <span>

#include "worlds.h"

namespace onehop::fuzz {

// The packets between two other steps at once, or one by one, with other bytes lying behind them: both must come to
// the same.
enum class Handing : uint8_t { kSeveral, kOneByOne };

struct Played {
  uint64_t hash;  // of all that came out, if that was asked for
  uint32_t packets;
};

// Plays the steps in a world as `restore` leaves it.
Played play(World& world, std::span<const uint8_t> steps, Handing handing, bool is_hashing);

// How many packets of all runs so far had each reason, by its code.
const uint64_t* packets_by_reason();

}  // namespace onehop::fuzz

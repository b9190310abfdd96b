// What an operator watches: packet threads copy each packet that matches, as it arrived and as it left, into a ring of
// their own; one reader takes them out. Whoever reads slowly loses packets, which are counted; nobody waits for him.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../pipeline/budget.h"
#include "filter.h"
#include "record_ring.h"
#include "sighting.h"

namespace onehop {

struct WatchOptions {
  WatchFilter filter;
  uint32_t snap;        // bytes kept of a packet at most, from kSnapAtLeast on
  uint32_t per_second;  // packets at most
};

// When a packet was read, decided and written: nanoseconds of CLOCK_MONOTONIC.
struct Times {
  uint64_t read, decided, written;
};

struct Departure {
  Left left = Left::kNowhere;
  uint8_t error = 0;
};

class Watch {
 public:
  // All that any rewrite touches, but for extension headers of unusual length.
  static constexpr uint32_t kSnapAtLeast = 128;

  // `wall_ns`: when CLOCK_MONOTONIC was 0, nanoseconds since 1970.
  Watch(const WatchOptions& options, size_t threads, uint64_t wall_ns);

  const WatchFilter& filter() const { return options_.filter; }

  // Packet thread `thread`, for each packet in turn: before it is processed, and when it has left or been dropped.
  void arrived(size_t thread, const Packet& packet);
  void left(size_t thread, const Packet& packet, const Result& result, const Departure& departure, const Times& times);

  // The reader: moves packets to the end of `out`, about in the order in which they came, as long as it stays within
  // `most` bytes.
  void take(std::vector<uint8_t>& out, size_t most);
  // Packets that matched, and those of them that found no room in the ring or in their second.
  uint64_t matched() const { return sum(&Seat::matched); }
  uint64_t lost() const { return sum(&Seat::lost); }

 private:
  struct Seat {
    explicit Seat(uint32_t bytes) : ring(bytes) {}
    RecordRing ring;
    uint8_t* place = nullptr;  // where the packet under way is being put together; null: no room
    uint32_t arrived_length = 0, arrived_kept = 0;
    bool is_source_covered = false, is_partial = false;
    uint32_t lost_since = 0;
    std::atomic<uint64_t> matched{0}, lost{0};
  };

  bool is_match(const Seat& seat, const Packet& packet, const Result& result) const;
  void complete(Seat& seat, const Packet& packet, const Result& result, const Departure& departure, const Times& times);
  Seat* oldest();
  uint64_t sum(std::atomic<uint64_t> Seat::* count) const;

  const WatchOptions options_;
  const uint64_t wall_ns_;
  SecondBudget budget_;
  std::vector<std::unique_ptr<Seat>> seats_;
};

}  // namespace onehop

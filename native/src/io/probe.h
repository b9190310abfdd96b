// What a packet thread measures of some of its packets: how long they take in here, and whether their checksums leave as
// right, or as wrong, as they came. The others pay for a counter a batch.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "../pipeline/last.h"
#include "../pipeline/refusals.h"
#include "../pipeline/sum_check.h"
#include "io_counts.h"
#include "latency.h"

namespace onehop {

struct ProbeOptions {
  uint32_t check_every;  // one packet in so many is checked; 0: none
  // Of what the fast path serves only one in `check_every` comes here: then each packet, as far as there is time.
  bool is_checking_all;
};

// A packet that left with a checksum that it did not come with.
struct WrongSum {
  uint64_t at_ns;  // CLOCK_MONOTONIC
  uint32_t service, container;
  uint32_t arrived_length, left_length;
  uint8_t code;
  SumFault fault;
  uint8_t zero[4];
  Beginning arrived, left;
};

class Probe {
 public:
  explicit Probe(const ProbeOptions& options) : options_(options), until_checked_(next_check()) {}

  // The packet thread, for each batch: when its first packet was read, and when all are written. Now and then the time
  // between is taken, and is that of the first packet.
  void read_first() {
    if (is_timing_) [[unlikely]] begin_timing();
  }
  void written(uint32_t packets, const Result& first) {
    if (is_timing_) [[unlikely]] end_timing(first);
    until_timed_ -= packets;
    is_timing_ = until_timed_ <= 0;
  }

  // Whether one of the next so many packets is to be checked; then the two below are called for each of them.
  bool is_check_due(uint32_t packets) {
    if (until_checked_ <= packets) [[unlikely]] return true;
    until_checked_ -= packets;
    return false;
  }
  void arrived(const Packet& packet) {
    is_checking_ = --until_checked_ == 0;
    if (is_checking_) begin_check(packet);
  }
  void decided(const Packet& packet, const Result& result) {
    if (is_checking_) end_check(packet, result);
  }

  // Any thread.
  void add_latency_to(std::array<LatencyCounts, kDirections>& sums) const {
    for (size_t i = 0; i < kDirections; i++) latency_[i].add_to(sums[i]);
  }
  uint64_t checked() const { return checked_.value(); }
  uint64_t wrong() const { return wrong_.value(); }
  std::optional<WrongSum> last_wrong() const { return last_wrong_.read(); }

 private:
  void begin_timing();
  void end_timing(const Result& first);
  void begin_check(const Packet& packet);
  void end_check(const Packet& packet, const Result& result);
  void tell(const Packet& packet, const Result& result, SumFault fault);
  uint64_t next_check();
  uint64_t distance(uint32_t every);

  const ProbeOptions options_;
  uint64_t random_ = 0x9e3779b97f4a7c15;

  int64_t until_timed_ = 0;  // packets
  bool is_timing_ = true;
  uint64_t read_ns_ = 0;

  uint64_t second_ = 0;         // in which
  uint32_t checked_in_it_ = 0;  // so many were checked
  uint64_t until_checked_;      // packets, that one included
  bool is_checking_ = false;
  std::optional<SumCheck> check_;
  uint32_t arrived_length_ = 0;
  Beginning arrived_{};

  std::array<LatencyHistogram, kDirections> latency_;
  Count checked_, wrong_;
  Last<WrongSum> last_wrong_;
};

}  // namespace onehop

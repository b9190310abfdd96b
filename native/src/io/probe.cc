// System calls: clock_gettime, from the vDSO.
#include "probe.h"

#include <time.h>

#include "../pipeline/verdict.h"
#include "clock.h"

namespace onehop {

namespace {

constexpr uint32_t kTimedEvery = 64;
// Checked in a second at most where each packet is to be: some microseconds each, for packets of 64 KB.
constexpr uint32_t kCheckedASecond = 1000;
constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kSecond = 1'000'000'000;

// What is neither forwarded nor an answer has none.
Direction direction_of(Code code) {
  if (is_forward(code)) return Direction::kRequest;
  return is_reply(code) ? Direction::kAnswer : Direction::kNone;
}

}  // namespace

void Probe::begin_timing() { read_ns_ = nanoseconds_of(CLOCK_MONOTONIC); }

// Of what is dropped nothing is written: then the next batch is timed.
void Probe::end_timing(const Result& first) {
  if (first.way == Way::kNone) return;
  const Direction direction = direction_of(static_cast<Code>(first.code));
  latency_[static_cast<size_t>(direction)].add(nanoseconds_of(CLOCK_MONOTONIC) - read_ns_);
  until_timed_ = static_cast<int64_t>(distance(kTimedEvery));
}

void Probe::begin_check(const Packet& packet) {
  check_.emplace(packet);
  arrived_.keep(packet.data, packet.offload.needs_checksum);
  arrived_length_ = packet.length;
  until_checked_ = next_check();
}

void Probe::end_check(const Packet& packet, const Result& result) {
  if (result.way == Way::kNone) return;
  checked_.add_one();
  const SumFault fault = check_->fault_in(packet, result);
  if (fault != SumFault::kNone) [[unlikely]] tell(packet, result, fault);
}

void Probe::tell(const Packet& packet, const Result& result, SumFault fault) {
  wrong_.add_one();
  WrongSum wrong{.at_ns = nanoseconds_of(CLOCK_MONOTONIC),
                 .service = result.service,
                 .container = result.container,
                 .arrived_length = arrived_length_,
                 .left_length = result.length,
                 .code = result.code,
                 .fault = fault,
                 .zero = {},
                 .arrived = arrived_,
                 .left = {}};
  wrong.left.keep(packet.data, packet.offload.needs_checksum);
  last_wrong_.write(wrong);
}

uint64_t Probe::next_check() {
  if (options_.check_every == 0) return kNever;
  if (!options_.is_checking_all) return distance(options_.check_every);
  const uint64_t second = nanoseconds_of(CLOCK_MONOTONIC_COARSE) / kSecond;
  if (second != second_) {
    second_ = second;
    checked_in_it_ = 0;
  }
  return checked_in_it_++ < kCheckedASecond ? 1 : distance(options_.check_every);
}

// 1 to 2 · every - 1, evenly: traffic has rhythms of its own (xorshift, G. Marsaglia, J. Stat. Softw. 8(14), 2003).
uint64_t Probe::distance(uint32_t every) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return 1 + (random_ >> 32) % (2 * uint64_t{every} - 1);
}

}  // namespace onehop

#include "run.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "../src/pipeline/verdict.h"
#include "arrivals.h"
#include "invariants.h"
#include "steps.h"
#include "sums.h"

namespace onehop::fuzz {

namespace {

constexpr uint32_t kStart = 1'000'000;

// A packet's memory as a packet thread has it. What lies outside [data, capacity) is poisoned: a touch is a finding.
class Place {
 public:
  static constexpr uint32_t kUsual = 2048, kMost = 65600;

  Place() { __asan_poison_memory_region(bytes_, sizeof bytes_); }

  Packet take(uint32_t length, const Offload& offload, uint8_t behind) {
    const uint32_t capacity = std::max(length, kUsual);
    if (capacity != capacity_) {
      __asan_poison_memory_region(bytes_ + kGap, kMost);
      __asan_unpoison_memory_region(bytes_ + kGap, capacity);
      capacity_ = capacity;
    }
    std::memset(bytes_ + kGap + length, behind, capacity - length);
    return {bytes_ + kGap, length, capacity, offload};
  }

 private:
  static constexpr uint32_t kGap = 64;
  uint32_t capacity_ = 0;
  alignas(64) uint8_t bytes_[kGap + kMost + kGap];
};

std::array<Place, kStepsAtMost> places;
// What came, for comparison; the packet itself is changed in place.
uint8_t copies[kStepsAtMost][Place::kMost];
uint64_t reasons[kReasonCount];

class Run {
 public:
  Run(World& world, Handing handing, bool is_hashing)
      : world_(world), handing_(handing), is_hashing_(is_hashing), behind_(handing == Handing::kSeveral ? 0xa5 : 0x5a) {
    world_.worker().begin(now_);
  }
  ~Run() { world_.worker().end(); }

  void take(const Step& step);
  void process_waiting();

  uint64_t hash() const { return hash_; }
  uint32_t processed() const { return processed_; }

 private:
  void arrive(const Step& step);
  uint32_t write(const Step& step, uint8_t* bytes, virtio_net_hdr& vnet) const;
  void settle(size_t place);
  void add_to_hash(const Packet& packet, const Result& result);
  template <typename Act>
  void between_batches(Act act);

  World& world_;
  const Handing handing_;
  const bool is_hashing_;
  const uint8_t behind_;
  uint32_t now_ = kStart;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint32_t processed_ = 0;
  size_t publishes_ = 0, waiting_ = 0;
  std::array<Packet, kStepsAtMost> packets_;
  std::array<Arrival, kStepsAtMost> arrivals_;
  std::array<Result, kStepsAtMost> results_;
  Departure forwarded_, replied_;
};

void Run::take(const Step& step) {
  switch (step.kind) {
    case StepKind::kTime:
      return between_batches([&] { now_ += step.seconds(); });
    case StepKind::kPublish:
      if (publishes_++ < kPublishesAtMost) between_batches([&] { world_.publish(step.arguments[0]); });
      return;
    case StepKind::kExpire:
      return between_batches([&] { world_.engine().expire(now_); });
    default:
      return arrive(step);
  }
}

// What answers something needs that to have left.
void Run::arrive(const Step& step) {
  if (!is_packet(step.kind) || handing_ == Handing::kOneByOne) process_waiting();
  uint8_t* copy = copies[waiting_];
  virtio_net_hdr vnet{};
  const uint32_t length = write(step, copy, vnet);
  packets_[waiting_] = places[waiting_].take(length, offload_from(vnet), behind_);
  std::memcpy(packets_[waiting_].data, copy, length);
  arrivals_[waiting_++] = {copy, length, vnet};
}

uint32_t Run::write(const Step& step, uint8_t* bytes, virtio_net_hdr& vnet) const {
  switch (step.kind) {
    case StepKind::kAnswer:
      return write_response(forwarded_, step, bytes, vnet);
    case StepKind::kFollow:
      return write_response(replied_, step, bytes, vnet);
    case StepKind::kError:
      return write_error((step.arguments[2] & 1) != 0 ? replied_ : forwarded_, step, bytes);
    default:
      return write_packet(step, bytes, vnet);
  }
}

void Run::process_waiting() {
  if (waiting_ == 0) return;
  const uint64_t allocations = allocations_so_far();
  world_.worker().process({packets_.data(), waiting_}, results_.data());
  expect(allocations_so_far() == allocations, "nothing is allocated between read and write");
  for (size_t i = 0; i < waiting_; i++) settle(i);
  processed_ += static_cast<uint32_t>(waiting_);
  waiting_ = 0;
}

void Run::settle(size_t place) {
  const Packet& packet = packets_[place];
  const Result& result = results_[place];
  check_outcome(arrivals_[place], packet, result);
  reasons[result.code]++;
  if (is_hashing_) add_to_hash(packet, result);
  const auto code = static_cast<Code>(result.code);
  if ((!is_forward(code) && !is_reply(code)) || result.length > Departure::kMost) return;
  Departure& departure = is_forward(code) ? forwarded_ : replied_;
  std::memcpy(departure.bytes, packet.data, result.length);
  departure.length = result.length;
}

void Run::add_to_hash(const Packet& packet, const Result& result) {
  const auto add = [this](uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3; };
  for (uint32_t i = 0; i < result.length; i++) add(packet.data[i]);
  for (const uint64_t value : {uint64_t{result.code}, uint64_t{result.length}, uint64_t{result.service},
                               uint64_t{result.container}, result.source.high, result.source.low})
    add(value);
  const Offload& offload = packet.offload;
  if (result.length > 0)
    for (const uint64_t value : {uint64_t{offload.needs_checksum}, uint64_t{offload.gso_type},
                                 uint64_t{offload.gso_size}, uint64_t{offload.checksum_start}})
      add(value);
}

template <typename Act>
void Run::between_batches(Act act) {
  process_waiting();
  world_.worker().end();
  act();
  world_.worker().begin(now_);
}

}  // namespace

Played play(World& world, std::span<const uint8_t> steps, Handing handing, bool is_hashing) {
  Run run(world, handing, is_hashing);
  Step step;
  for (size_t left = kStepsAtMost; left > 0 && take_step(steps, step); left--) run.take(step);
  run.process_waiting();
  return {run.hash(), run.processed()};
}

const uint64_t* packets_by_reason() { return reasons; }

}  // namespace onehop::fuzz

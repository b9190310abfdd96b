#include "watch.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "../pipeline/verdict.h"

namespace onehop {

namespace {

// For all threads; each has room for some of the largest packets.
constexpr uint32_t kRingBytes = 8 << 20;
constexpr uint32_t kSeatBytesAtLeast = 512 << 10;
// What the pipeline may write where less arrived (Packet::capacity): an answer may be longer than what it answers.
constexpr uint32_t kAnswerAtMost = 2048;
constexpr uint64_t kSecond = 1'000'000'000;

constexpr uint32_t padded(uint32_t length) { return (length + 7) & ~7u; }

uint32_t since(uint64_t begun, uint64_t now) {
  return static_cast<uint32_t>(std::min<uint64_t>(now - begun, std::numeric_limits<uint32_t>::max()));
}

// Its own thread alone writes it.
void add_one(std::atomic<uint64_t>& count) {
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Watch::Watch(const WatchOptions& options, size_t threads, uint64_t wall_ns)
    : options_(options), wall_ns_(wall_ns), budget_(options.per_second) {
  const auto share = std::bit_floor(static_cast<uint32_t>(kRingBytes / threads));
  for (size_t thread = 0; thread < threads; thread++)
    seats_.push_back(std::make_unique<Seat>(std::max(share, kSeatBytesAtLeast)));
}

void Watch::arrived(size_t thread, const Packet& packet) {
  Seat& seat = *seats_[thread];
  seat.arrived_length = packet.length;
  seat.arrived_kept = std::min(packet.length, options_.snap);
  seat.is_source_covered = is_end_covered(options_.filter, packet.data, packet.length, End::kSource);
  seat.is_partial = packet.offload.needs_checksum;
  const uint32_t leaves_at_most = std::min(std::max(packet.length, kAnswerAtMost), options_.snap);
  seat.place = seat.ring.reserve(padded(static_cast<uint32_t>(sizeof(Sighting)) + seat.arrived_kept + leaves_at_most));
  if (seat.place) std::memcpy(seat.place + sizeof(Sighting), packet.data, seat.arrived_kept);
}

void Watch::left(size_t thread, const Packet& packet, const Result& result, const Departure& departure,
                 const Times& times) {
  Seat& seat = *seats_[thread];
  if (!is_match(seat, packet, result)) return;
  add_one(seat.matched);
  if (seat.place && budget_.take(static_cast<uint32_t>(times.read / kSecond)))
    return complete(seat, packet, result, departure, times);
  add_one(seat.lost);
  seat.lost_since++;
}

// The client is where a request comes from and where an answer goes to; an ICMP error about either has it inside.
bool Watch::is_match(const Seat& seat, const Packet& packet, const Result& result) const {
  const WatchFilter& filter = options_.filter;
  if (!wants(filter, result)) return false;
  if (filter.mask == Address{} || seat.is_source_covered) return true;
  if (is_quoted(static_cast<Code>(result.code)) && covers(filter, result.source)) return true;
  const uint32_t length = result.way == Way::kNone ? packet.length : result.length;
  return is_end_covered(filter, packet.data, length, End::kDestination);
}

void Watch::complete(Seat& seat, const Packet& packet, const Result& result, const Departure& departure,
                     const Times& times) {
  const uint32_t left_kept = std::min(result.length, options_.snap);
  const auto bytes = padded(static_cast<uint32_t>(sizeof(Sighting)) + seat.arrived_kept + left_kept);
  const int partial = (seat.is_partial ? 1 : 0) | (packet.offload.needs_checksum ? 2 : 0);
  const Sighting sighting{
      .bytes = bytes,
      .code = result.code,
      .left = departure.left,
      .is_partial = static_cast<uint8_t>(partial),
      .error = departure.error,
      .service = result.service,
      .container = result.container,
      .read_ns = times.read,
      .decided_ns = since(times.read, times.decided),
      .written_ns = since(times.read, times.written),
      .arrived_length = seat.arrived_length,
      .left_length = result.length,
      .arrived_kept = seat.arrived_kept,
      .left_kept = left_kept,
      .segment = packet.offload.gso_type == 0 ? 0u : packet.offload.gso_size,
      .lost = std::exchange(seat.lost_since, 0),
  };
  std::memcpy(seat.place, &sighting, sizeof sighting);
  std::memcpy(seat.place + sizeof sighting + seat.arrived_kept, packet.data, left_kept);
  seat.ring.commit(bytes);
}

void Watch::take(std::vector<uint8_t>& out, size_t most) {
  while (Seat* seat = oldest()) {
    const auto record = seat->ring.front();
    if (out.size() + record.size() > most) return;
    Sighting sighting;
    std::memcpy(&sighting, record.data(), sizeof sighting);
    sighting.read_ns += wall_ns_;
    const size_t at = out.size();
    out.insert(out.end(), record.begin(), record.end());
    std::memcpy(out.data() + at, &sighting, sizeof sighting);
    seat->ring.pop(sighting.bytes);
  }
}

// Of those that have a packet, the one whose packet came first; null: none has.
Watch::Seat* Watch::oldest() {
  Seat* oldest = nullptr;
  uint64_t first = std::numeric_limits<uint64_t>::max();
  for (const auto& seat : seats_) {
    const auto record = seat->ring.front();
    if (record.empty()) continue;
    uint64_t read_ns;
    std::memcpy(&read_ns, record.data() + offsetof(Sighting, read_ns), sizeof read_ns);
    if (read_ns >= first) continue;
    first = read_ns;
    oldest = seat.get();
  }
  return oldest;
}

uint64_t Watch::sum(std::atomic<uint64_t> Seat::* count) const {
  uint64_t sum = 0;
  for (const auto& seat : seats_) sum += (seat.get()->*count).load(std::memory_order_relaxed);
  return sum;
}

}  // namespace onehop

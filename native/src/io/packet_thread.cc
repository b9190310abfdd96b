// System calls: poll, clock_gettime (both clocks from the vDSO); tun.cc's and packet_socket.cc's.
#include "packet_thread.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "../pipeline/verdict.h"
#include "clock.h"
#include "hop.h"
#include "vnet_header.h"

namespace onehop {

namespace {

// A TUN that fails to be read for another reason than being empty or gone is tried again this often.
constexpr int kRetryMs = 100;

// CLOCK_MONOTONIC, as process.hrtime() in JavaScript, at the resolution of a timer tick.
timespec coarse_now() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now;
}

uint64_t now_ns() { return nanoseconds_of(CLOCK_MONOTONIC); }

bool is_v6(const Packet& packet) { return packet.data[0] >> 4 == 6; }

// The kernel has to deliver what is too large: it cuts it, or says so to its sender.
bool fits(const Packet& packet, uint32_t length, const Neighbour& neighbour) {
  return longest_sent(packet.offload, packet.data, length) <= neighbour.mtu;
}

bool is_rewritten(const Result& result) {
  const auto code = static_cast<Code>(result.code);
  return is_forward(code) || is_reply(code);
}

// One snapshot and one map of neighbours for the packets of a batch.
class BatchScope {
 public:
  BatchScope(Worker& worker, Published<NeighbourMap>& map, size_t reader)
      : worker_(worker), map_(map), reader_(reader), neighbours_(map.acquire(reader)) {
    const timespec now = coarse_now();
    worker_.begin(static_cast<uint32_t>(now.tv_sec), static_cast<uint32_t>(now.tv_nsec / 1'000'000));
  }
  ~BatchScope() {
    worker_.end();
    map_.release(reader_);
  }

  const NeighbourMap& neighbours() const { return neighbours_; }

 private:
  Worker& worker_;
  Published<NeighbourMap>& map_;
  const size_t reader_;
  const NeighbourMap& neighbours_;
};

}  // namespace

PacketThread::PacketThread(TunQueue tun, std::unique_ptr<Worker> worker, Published<NeighbourMap>& map,
                           Tap& tap, size_t reader, std::chrono::microseconds spin, Observer* observer,
                           const ProbeOptions& probe)
    : tun_(std::move(tun)),
      socket_(PacketSocket::open()),
      worker_(std::move(worker)),
      map_(map),
      tap_(tap),
      reader_(reader),
      spin_(spin),
      observer_(observer),
      probe_(probe),
      outbox_(tun_, socket_, counts_) {}

void PacketThread::run(const SignalEvent& stop) {
  pollfd polled[] = {{stop.number(), POLLIN, 0}, {tun_.number(), POLLIN, 0}};
  while (!stop.is_raised()) {
    const auto [error, packets] = forward_batch();
    if (packets > 0) spin_.found();
    if (error == 0) continue;
    if (error == EAGAIN) {
      counts_.tun_emptied.add_one();
      if (spin_.may_look_again()) continue;
      ::poll(polled, 2, -1);
      spin_.woke();
    } else if (error == EBADFD) {
      wait_for_another(stop);
      polled[1].fd = tun_.number();
    } else {
      counts_.tun_read_errors.add(error, 1);
      ::poll(polled, 1, kRetryMs);
    }
  }
}

void PacketThread::wait_for_another(const SignalEvent& stop) {
  pollfd polled[] = {{stop.number(), POLLIN, 0}, {adopted_.number(), POLLIN, 0}};
  is_orphaned_.store(true, std::memory_order_release);
  while (is_orphaned() && !stop.is_raised()) ::poll(polled, 2, -1);
  adopted_.lower();
}

void PacketThread::adopt(TunQueue tun) {
  tun_ = std::move(tun);
  is_orphaned_.store(false, std::memory_order_release);
  adopted_.raise();
}

PacketThread::Batch PacketThread::forward_batch() {
  const Batch batch = read_batch();
  if (batch.packets == 0) return batch;
  const BatchScope scope(*worker_, map_, reader_);
  if (tap_.is_watched()) [[unlikely]] {
    for (uint32_t at = 0; at < batch.packets; at++) forward_watched(at, scope.neighbours());
  } else if (probe_.is_check_due(batch.packets)) {
    forward_checked(batch.packets, scope.neighbours());
  } else {
    forward(batch.packets, scope.neighbours());
  }
  probe_.written(batch.packets, results_[0]);
  if (observer_ != nullptr) tell_observer(batch.packets);
  return batch;
}

// A packet that comes alone goes on alone: it does not wait for a look whether there is another. Where there always was,
// twice as many are read the next time.
PacketThread::Batch PacketThread::read_batch() {
  room_.clear();
  uint32_t packets = 0;
  int error = 0;
  for (; packets < at_once_ && room_.has_place(); packets++) {
    places_[packets] = room_.next();
    Packet& packet = packets_[packets];
    if ((error = tun_.read(places_[packets], packet))) break;
    packet.capacity = room_.take(packet.length);
    if (packets == 0) probe_.read_first();
  }
  at_once_ = error ? 1 : std::min(at_once_ * 2, PacketRoom::kPackets);
  return {error, packets};
}

void PacketThread::forward(uint32_t packets, const NeighbourMap& neighbours) {
  worker_->process({packets_.data(), packets}, results_.data());
  for (uint32_t at = 0; at < packets; at++) leave(at, neighbours);
  outbox_.flush();
}

void PacketThread::forward_checked(uint32_t packets, const NeighbourMap& neighbours) {
  for (uint32_t at = 0; at < packets; at++) {
    decide_checked(at);
    leave(at, neighbours);
  }
  outbox_.flush();
}

void PacketThread::forward_watched(uint32_t at, const NeighbourMap& neighbours) {
  Packet& packet = packets_[at];
  Times times{.read = now_ns(), .decided = 0, .written = 0};
  const Tap::Watches& watches = tap_.acquire(reader_);
  for (const auto& watch : watches) watch->arrived(reader_, packet);
  decide_checked(at);
  const Result& result = results_[at];
  times.decided = now_ns();
  const Left left = leave(at, neighbours);
  const Departure departure{left, static_cast<uint8_t>(outbox_.flush())};
  times.written = now_ns();
  for (const auto& watch : watches) watch->left(reader_, packet, result, departure, times);
  tap_.release(reader_);
}

void PacketThread::decide_checked(uint32_t at) {
  probe_.arrived(packets_[at]);
  results_[at] = worker_->process(packets_[at]);
  probe_.decided(packets_[at], results_[at]);
}

Left PacketThread::leave(uint32_t at, const NeighbourMap& neighbours) {
  Packet& packet = packets_[at];
  const Result& result = results_[at];
  if (result.way == Way::kNone) return Left::kNowhere;
  const bool is_to_container = result.way == Way::kContainer, may_join = is_rewritten(result);
  const Neighbour* neighbour = is_to_container ? neighbours.find(result.container, is_v6(packet)) : nullptr;
  if (neighbour != nullptr && !fits(packet, result.length, *neighbour)) neighbour = nullptr;
  if (neighbour == nullptr) {
    if (is_to_container) counts_.tun_writes.add_one();
    if (may_join) give_back_hop(packet.data);
  }
  outbox_.add(places_[at], packet, result.length, neighbour, may_join);
  return neighbour != nullptr ? Left::kBridge : Left::kTun;
}

void PacketThread::tell_observer(uint32_t packets) {
  for (uint32_t at = 0; at < packets; at++)
    if (results_[at].is_settled) observer_->forwarded(reader_, results_[at], worker_->version());
}

}  // namespace onehop

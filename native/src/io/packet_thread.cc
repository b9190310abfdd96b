// System calls: poll, clock_gettime (both clocks from the vDSO); tun.cc's and packet_socket.cc's.
#include "packet_thread.h"

#include <poll.h>
#include <time.h>

#include <cerrno>

#include "../pipeline/verdict.h"
#include "clock.h"
#include "hop.h"
#include "vnet_header.h"

namespace onehop {

namespace {

using Clock = std::chrono::steady_clock;

// Packets between two looks at the clock, the snapshot, the neighbours and the stop: some 200 µs.
constexpr uint32_t kBatch = 64;
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
                           Tap& tap, size_t reader, std::chrono::microseconds spin, Observer* observer)
    : tun_(std::move(tun)),
      socket_(PacketSocket::open()),
      worker_(std::move(worker)),
      map_(map),
      tap_(tap),
      reader_(reader),
      spin_(spin),
      observer_(observer) {}

void PacketThread::run(const SignalEvent& stop) {
  pollfd polled[] = {{stop.number(), POLLIN, 0}, {tun_.number(), POLLIN, 0}};
  while (!stop.is_raised()) {
    const auto [error, packets] = forward_batch();
    if (error == 0 || (error == EAGAIN && may_spin(packets > 0))) continue;
    if (error == EAGAIN) {
      ::poll(polled, 2, -1);
    } else if (error == EBADFD) {
      return is_orphaned_.store(true, std::memory_order_relaxed);
    } else {
      counts_.tun_read_errors.add_one();
      ::poll(polled, 1, kRetryMs);
    }
  }
}

PacketThread::Batch PacketThread::forward_batch() {
  Packet packet;
  int error = tun_.read(buffer_, packet);
  if (error) return {error, 0};
  const BatchScope scope(*worker_, map_, reader_);
  uint32_t packets = 0;
  do {
    forward(packet, scope.neighbours());
    packets++;
  } while (packets < kBatch && (error = tun_.read(buffer_, packet)) == 0);
  return {error, packets};
}

void PacketThread::forward(Packet& packet, const NeighbourMap& neighbours) {
  if (tap_.is_watched()) [[unlikely]] return forward_watched(packet, neighbours);
  leave(packet, worker_->process(packet), neighbours);
}

// Never inline: what nobody watches would pay for its stack frame.
[[gnu::noinline]] void PacketThread::forward_watched(Packet& packet, const NeighbourMap& neighbours) {
  Times times{.read = now_ns(), .decided = 0, .written = 0};
  const Tap::Watches& watches = tap_.acquire(reader_);
  for (const auto& watch : watches) watch->arrived(reader_, packet);
  const Result result = worker_->process(packet);
  times.decided = now_ns();
  const Departure departure = leave(packet, result, neighbours);
  times.written = now_ns();
  for (const auto& watch : watches) watch->left(reader_, packet, result, departure, times);
  tap_.release(reader_);
}

Departure PacketThread::leave(Packet& packet, const Result& result, const NeighbourMap& neighbours) {
  if (result.way == Way::kNone) return {};
  const Departure departure = write(packet, result, neighbours);
  if (result.is_settled && observer_ != nullptr) observer_->forwarded(reader_, result, worker_->version());
  return departure;
}

Departure PacketThread::write(Packet& packet, const Result& result, const NeighbourMap& neighbours) {
  const bool is_to_container = result.way == Way::kContainer;
  const Neighbour* neighbour = is_to_container ? neighbours.find(result.container, is_v6(packet)) : nullptr;
  if (neighbour && fits(packet, result.length, *neighbour)) {
    const int error = socket_.write(buffer_, packet, result.length, *neighbour);
    (error ? counts_.bridge_write_errors : counts_.bridge_writes).add_one();
    return {Left::kBridge, static_cast<uint8_t>(error)};
  }
  if (is_to_container) counts_.tun_writes.add_one();
  if (is_rewritten(result)) give_back_hop(packet.data);
  const int error = tun_.write(buffer_, packet, result.length);
  if (error != 0) counts_.tun_write_errors.add_one();
  return {Left::kTun, static_cast<uint8_t>(error)};
}

// The next packet of a conversation often comes sooner than a sleeping thread would wake up.
bool PacketThread::may_spin(bool is_busy) {
  if (spin_.count() == 0) return false;
  const auto now = Clock::now();
  if (is_busy) spin_until_ = now + spin_;
  return now < spin_until_;
}

}  // namespace onehop

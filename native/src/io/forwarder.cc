// System calls: clock_gettime, if_nametoindex; those of what it opens.
#include "forwarder.h"

#include <net/if.h>

#include <utility>

#include "clock.h"
#include "failure.h"

namespace onehop {

Forwarder::Forwarder(Engine& engine, const ForwarderOptions& options, Observer* observer, std::vector<TunQueue> held)
    : engine_(engine),
      tun_(options.tun),
      neighbours_(options.bridges, options.queues, observer),
      self_check_(options.self_check),
      tap_(options.queues) {
  open_queues(options, observer, std::move(held));
  tun_queue_.emplace(options.tun);
  update();
  start_threads();
}

void Forwarder::update() {
  const uint64_t version = engine_.container_addresses_version();
  if (std::exchange(followed_, version) != version) neighbours_.follow(engine_.container_addresses());
}

void Forwarder::reopen() {
  for (const auto& thread : packet_threads_) {
    if (!thread->is_orphaned()) continue;
    // To open a queue of a TUN that is not there would make it, and as nobody set it up.
    if (::if_nametoindex(tun_.c_str()) == 0)
      throw IoFailure(IoFailure::Cause::kNetwork, tun_ + " was deleted; expected that it is made again");
    thread->adopt(TunQueue::open(tun_));
    adopted_++;
  }
}

uint64_t Forwarder::disturbances() const {
  uint64_t sum = neighbours_.heard() + adopted_;
  for (const auto& thread : packet_threads_) sum += thread->is_orphaned();
  return sum;
}

IoCounters Forwarder::counters() {
  const auto [dropped, length] = tun_queue_->look();
  IoCounters sum{
      .tun_dropped = dropped,
      .tun_queue_length = length,
      .neighbours_resolved = neighbours_.resolved(),
      .neighbours_wanted = neighbours_.wanted(),
      .offload = offload_,
      .self_check = self_check_,
  };
  for (const auto& thread : packet_threads_) {
    const IoCounts& counts = thread->counts();
    sum.bridge_writes += counts.bridge_writes.value();
    sum.tun_writes += counts.tun_writes.value();
    sum.tun_emptied += counts.tun_emptied.value();
    sum.joined += counts.joined.value();
    for (size_t error = 0; error < ErrorCounts::kErrors; error++) {
      sum.tun_read_errors[error] += counts.tun_read_errors.of(error);
      sum.tun_write_errors[error] += counts.tun_write_errors.of(error);
      sum.bridge_write_errors[error] += counts.bridge_write_errors.of(error);
    }
    sum.queues += !thread->is_orphaned();
    thread->probe().add_latency_to(sum.latency);
    sum.checked += thread->probe().checked();
    sum.wrong += thread->probe().wrong();
  }
  return sum;
}

std::optional<WrongSum> Forwarder::last_wrong() const {
  std::optional<WrongSum> last;
  for (const auto& thread : packet_threads_) {
    const auto own = thread->probe().last_wrong();
    if (own && (!last || own->at_ns > last->at_ns)) last = own;
  }
  return last;
}

std::shared_ptr<Watch> Forwarder::watch(const WatchOptions& options) {
  auto watch = std::make_shared<Watch>(options, packet_threads_.size(), nanoseconds_of(CLOCK_REALTIME) -
                                                                            nanoseconds_of(CLOCK_MONOTONIC));
  tap_.add(watch);
  return watch;
}

void Forwarder::open_queues(const ForwarderOptions& options, Observer* observer, std::vector<TunQueue> held) {
  // With an observer there is a fast path.
  const ProbeOptions probe{options.self_check, observer != nullptr};
  for (uint32_t reader = 0; reader < options.queues; reader++) {
    TunQueue tun = reader < held.size() ? std::move(held[reader]) : TunQueue::open(options.tun);
    offload_ = tun.offloads();
    if (reader == 0) tun.steer_evenly();  // whatever a take-over, one that was broken off even, has made of it
    packet_threads_.push_back(std::make_unique<PacketThread>(std::move(tun), engine_.attach(), neighbours_.map(),
                                                             tap_, reader, options.spin, observer, probe));
  }
}

void Forwarder::start_threads() {
  threads_.start("onehop-neigh", [this](const SignalEvent& stop) { neighbours_.run(stop); });
  for (size_t number = 0; number < packet_threads_.size(); number++)
    threads_.start("onehop-q" + std::to_string(number),
                   [&thread = *packet_threads_[number]](const SignalEvent& stop) { thread.run(stop); });
}

}  // namespace onehop

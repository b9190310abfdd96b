// System calls: pthread_sigmask, pthread_setname_np, those of std::thread.
#include "forwarder.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "failure.h"

namespace onehop {

namespace {

// New threads inherit the mask, so it is set around their creation: no signal can reach them in between.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

ThreadGroup::~ThreadGroup() {
  stop_.raise();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadGroup::start(const std::string& name, std::function<void(const SignalEvent&)> run) {
  const AllSignalsBlocked blocked;
  try {
    threads_.emplace_back([this, run = std::move(run)] { run(stop_); });
  } catch (const std::system_error& error) {
    throw system_failure("pthread_create", error.code().value());
  }
  pthread_setname_np(threads_.back().native_handle(), name.c_str());
}

Forwarder::Forwarder(Engine& engine, const ForwarderOptions& options)
    : engine_(engine), neighbours_(options.bridges, options.queues) {
  open_queues(options);
  update();
  start_threads();
}

void Forwarder::update() {
  const uint64_t version = engine_.container_addresses_version();
  if (std::exchange(followed_, version) != version) neighbours_.follow(engine_.container_addresses());
}

IoCounters Forwarder::counters() const {
  IoCounters sum{
      .neighbours_resolved = neighbours_.resolved(),
      .neighbours_wanted = neighbours_.wanted(),
      .offload = offload_,
  };
  for (const auto& thread : packet_threads_) {
    const PacketThread::Counts& counts = thread->counts();
    sum.tun_read_errors += counts.tun_read_errors.value();
    sum.tun_write_errors += counts.tun_write_errors.value();
    sum.bridge_writes += counts.bridge_writes.value();
    sum.bridge_write_errors += counts.bridge_write_errors.value();
    sum.tun_writes += counts.tun_writes.value();
    sum.queues += !thread->is_orphaned();
  }
  return sum;
}

void Forwarder::open_queues(const ForwarderOptions& options) {
  for (uint32_t reader = 0; reader < options.queues; reader++) {
    TunQueue tun = TunQueue::open(options.tun);
    offload_ = tun.offloads();
    packet_threads_.push_back(std::make_unique<PacketThread>(std::move(tun), engine_.attach(), neighbours_.map(),
                                                             reader, options.spin));
  }
}

void Forwarder::start_threads() {
  threads_.start("onehop-neigh", [this](const SignalEvent& stop) { neighbours_.run(stop); });
  for (size_t number = 0; number < packet_threads_.size(); number++)
    threads_.start("onehop-q" + std::to_string(number),
                   [&thread = *packet_threads_[number]](const SignalEvent& stop) { thread.run(stop); });
}

}  // namespace onehop

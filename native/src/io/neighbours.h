// Keeps the hardware address of every container known ahead of its packets, by asking the kernel and listening
// to it. One thread, `run`, does all of it; packet threads read the map it publishes.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "../pipeline/engine.h"
#include "neighbour_table.h"
#include "netlink.h"
#include "observer.h"
#include "published.h"
#include "signal_event.h"

namespace onehop {

class Neighbours {
 public:
  // Throws IoFailure, for instance when a bridge does not exist. `readers`: packet threads. `observer`: may be null.
  Neighbours(std::vector<std::string> bridges, size_t readers, Observer* observer);

  // Any thread: what to resolve from now on. Takes effect within milliseconds.
  void follow(std::vector<ContainerAddress> wanted);
  // Any thread: the bridges from now on. One that does not exist is waited for.
  void use_bridges(std::vector<std::string> bridges);

  // Until `stop` is raised.
  void run(const SignalEvent& stop);

  Published<NeighbourMap>& map() { return map_; }

  // How much was said of links, routes and rules so far.
  uint64_t heard() const { return heard_.load(std::memory_order_relaxed); }
  // Container addresses, all and resolved ones.
  uint32_t wanted() const { return wanted_count_.load(std::memory_order_relaxed); }
  uint32_t resolved() const { return resolved_count_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;

  void require_bridges();
  void hear();
  void apply(const NetlinkMessage& message);
  // A full re-read of bridges, routes and neighbours.
  void synchronise();
  int read_bridges();
  int read_routes();
  int read_neighbours();
  void confirm(const std::vector<Hop>& hops);
  void release(const std::vector<Hop>& hops);
  void publish();
  std::vector<ContainerAddress> wanted_now();

  Observer* const observer_;
  NetlinkSocket events_, requests_;
  SignalEvent wake_;
  NeighbourTable table_;
  Published<NeighbourMap> map_;

  std::mutex mutex_;  // for wanted_ and wanted_bridges_
  std::vector<ContainerAddress> wanted_;
  std::vector<std::string> wanted_bridges_;
  std::atomic<uint64_t> heard_ = 0;
  std::atomic<uint32_t> wanted_count_ = 0, resolved_count_ = 0;

  // Of `run`.
  std::vector<std::string> bridges_;
  Clock::time_point synchronise_at_{}, confirm_at_{};
  bool is_changed_ = false;
  std::vector<Hop> lost_, moved_;
};

}  // namespace onehop

// An engine at work on a TUN: its queues, their threads, and the thread that follows neighbours.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../pipeline/engine.h"
#include "link_queue.h"
#include "neighbours.h"
#include "packet_thread.h"
#include "tap.h"
#include "thread_group.h"

namespace onehop {

struct ForwarderOptions {
  std::string tun;
  std::vector<std::string> bridges;
  uint32_t queues;                 // packet threads
  std::chrono::microseconds spin;  // how long a packet thread looks for more before it sleeps
  uint32_t self_check;             // one packet in so many has its checksums recomputed; 0: none
};

// src/dataplane/dataplane.ts has the meaning of each.
struct IoCounters {
  using ByError = std::array<uint64_t, ErrorCounts::kErrors>;
  ByError tun_read_errors{}, tun_write_errors{}, bridge_write_errors{};
  uint64_t bridge_writes = 0, tun_writes = 0, joined = 0;
  uint64_t tun_emptied = 0, tun_dropped = 0;
  uint32_t tun_queue_length = 0;
  uint32_t neighbours_resolved = 0, neighbours_wanted = 0;
  uint32_t queues = 0;
  std::vector<std::string> offload;
  std::array<LatencyCounts, kDirections> latency{};
  uint32_t self_check = 0;
  uint64_t checked = 0, wrong = 0;
};

// Control thread only.
class Forwarder {
 public:
  // Opens everything, then starts the threads. Throws IoFailure with nothing left open. The engine must have a
  // snapshot and must outlive the forwarder, as the observer must; when that is destroyed, no packet is touched any more and no
  // worker is left. `held`: queues of the TUN that are open already, with packets that wait in them.
  Forwarder(Engine& engine, const ForwarderOptions& options, Observer* observer = nullptr,
            std::vector<TunQueue> held = {});

  // To be called after each publish: container addresses may have changed.
  void update();

  // The bridges from now on; one that does not exist is waited for.
  void use_bridges(std::vector<std::string> bridges) { neighbours_.use_bridges(std::move(bridges)); }

  // Gives threads whose TUN was deleted queues of the one that has its name now. Throws IoFailure, also when there is none.
  void reopen();
  // Grows when something was said of links, routes or rules, and when a thread has lost its TUN.
  uint64_t disturbances() const;

  IoCounters counters();
  // The last packet that left with a checksum it did not come with.
  std::optional<WrongSum> last_wrong() const;

  // Begins to watch; until `unwatch`, or as long as the forwarder lives.
  std::shared_ptr<Watch> watch(const WatchOptions& options);
  void unwatch(const Watch& watch) { tap_.remove(&watch); }

 private:
  void open_queues(const ForwarderOptions& options, Observer* observer, std::vector<TunQueue> held);
  void start_threads();

  Engine& engine_;
  const std::string tun_;
  Neighbours neighbours_;
  const uint32_t self_check_;
  uint64_t adopted_ = 0;   // queues, by threads whose TUN was deleted
  uint64_t followed_ = 0;  // version of the container addresses
  std::vector<std::string> offload_;
  std::optional<LinkQueue> tun_queue_;  // once the TUN is there
  Tap tap_;
  std::vector<std::unique_ptr<PacketThread>> packet_threads_;
  ThreadGroup threads_;  // last: stopped before what they use is destroyed
};

}  // namespace onehop

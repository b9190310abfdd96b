// One queue of the TUN and what its thread does with it: read, decide, write, until stopped.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>

#include "../pipeline/engine.h"
#include "io_counts.h"
#include "neighbour_map.h"
#include "observer.h"
#include "outbox.h"
#include "packet_room.h"
#include "packet_socket.h"
#include "probe.h"
#include "published.h"
#include "signal_event.h"
#include "spin.h"
#include "tap.h"
#include "tun.h"

namespace onehop {

class PacketThread {
 public:
  // `reader`: this thread's number among the readers of the map and of the tap. `observer`: may be null.
  PacketThread(TunQueue tun, std::unique_ptr<Worker> worker, Published<NeighbourMap>& map, Tap& tap, size_t reader,
               std::chrono::microseconds spin, Observer* observer, const ProbeOptions& probe);

  // Until `stop` is raised.
  void run(const SignalEvent& stop);

  const IoCounts& counts() const { return counts_; }
  const Probe& probe() const { return probe_; }
  // The TUN was deleted, and `run` waits for another.
  bool is_orphaned() const { return is_orphaned_.load(std::memory_order_acquire); }
  // Only of one that is orphaned: its new queue.
  void adopt(TunQueue tun);

 private:
  // How many packets were read, and why no more: 0 because they were enough, or errno of the read.
  struct Batch {
    int error;
    uint32_t packets;
  };
  Batch forward_batch();
  Batch read_batch();
  void forward(uint32_t packets, const NeighbourMap& neighbours);
  void forward_checked(uint32_t packets, const NeighbourMap& neighbours);
  void forward_watched(uint32_t at, const NeighbourMap& neighbours);
  void decide_checked(uint32_t at);
  Left leave(uint32_t at, const NeighbourMap& neighbours);
  void wait_for_another(const SignalEvent& stop);
  void tell_observer(uint32_t packets);

  TunQueue tun_;
  PacketSocket socket_;
  std::unique_ptr<Worker> worker_;
  Published<NeighbourMap>& map_;
  Tap& tap_;
  const size_t reader_;
  Observer* const observer_;
  Spin spin_;
  std::atomic<bool> is_orphaned_ = false;  // while it is, tun_ is the control thread's
  SignalEvent adopted_;
  alignas(64) IoCounts counts_;
  Probe probe_;
  uint32_t at_once_ = 1;
  Outbox outbox_;
  PacketRoom room_;
  std::array<Packet, PacketRoom::kPackets> packets_;
  std::array<PacketPlace, PacketRoom::kPackets> places_;
  std::array<Result, PacketRoom::kPackets> results_;
};

}  // namespace onehop

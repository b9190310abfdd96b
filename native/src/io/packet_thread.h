// One queue of the TUN and what its thread does with it: read, decide, write, until stopped.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "../pipeline/engine.h"
#include "neighbour_map.h"
#include "observer.h"
#include "packet_buffer.h"
#include "packet_socket.h"
#include "published.h"
#include "signal_event.h"
#include "tap.h"
#include "tun.h"

namespace onehop {

// Written by one thread, read by any.
class Count {
 public:
  void add_one() { value_.store(value() + 1, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

class PacketThread {
 public:
  struct Counts {
    Count tun_read_errors, tun_write_errors, bridge_writes, bridge_write_errors;
    Count tun_writes;  // in place of a bridge write: no neighbour, or too large for the way to it
  };

  // `reader`: this thread's number among the readers of the map and of the tap. `observer`: may be null.
  PacketThread(TunQueue tun, std::unique_ptr<Worker> worker, Published<NeighbourMap>& map, Tap& tap, size_t reader,
               std::chrono::microseconds spin, Observer* observer);

  // Until `stop` is raised or the TUN is deleted.
  void run(const SignalEvent& stop);

  const Counts& counts() const { return counts_; }
  // The TUN was deleted, and `run` returned for that.
  bool is_orphaned() const { return is_orphaned_.load(std::memory_order_relaxed); }

 private:
  // What ended a batch: 0 when it was full, or errno of the read; and how many packets were in it.
  struct Batch {
    int error;
    uint32_t packets;
  };
  Batch forward_batch();
  void forward(Packet& packet, const NeighbourMap& neighbours);
  void forward_watched(Packet& packet, const NeighbourMap& neighbours);
  Departure leave(Packet& packet, const Result& result, const NeighbourMap& neighbours);
  Departure write(Packet& packet, const Result& result, const NeighbourMap& neighbours);
  bool may_spin(bool is_busy);

  TunQueue tun_;
  PacketSocket socket_;
  std::unique_ptr<Worker> worker_;
  Published<NeighbourMap>& map_;
  Tap& tap_;
  const size_t reader_;
  const std::chrono::nanoseconds spin_;
  Observer* const observer_;
  std::chrono::steady_clock::time_point spin_until_{};
  std::atomic<bool> is_orphaned_ = false;
  alignas(64) Counts counts_;
  PacketBuffer buffer_;
};

}  // namespace onehop

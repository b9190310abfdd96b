// The fast path: known sources' packets stay in the kernel (native/bpf). This keeps its maps in step with what the packet
// threads decide, the snapshot says and the neighbours are, and its programs on the interfaces they belong to.
//
// A source is offered by the packet thread that forwarded its packet, with the snapshot's version; it is taken unless
// its service has changed since. A change of a service takes effect with one write to each of its ways in: sources
// decided before are of another generation, and their next packet comes through the slow path and is offered anew.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "../io/observer.h"
#include "../watch/filter.h"

namespace onehop {

struct FastPathOptions {
  std::string tun;
  std::vector<std::string> uplinks, bridges;
  uint32_t sources;       // at most
  size_t packet_threads;
  std::chrono::seconds linger;  // how long it goes on without a daemon
  std::string handover;         // the folder where its maps are kept for the next daemon; empty: they are not
  std::vector<Row> known;       // sources that it serves from the start on, as far as the table has them
  uint32_t self_check;          // one packet in so many takes the slow path, to be checked there; 0: none
};

struct FastPathCounters {
  uint32_t uplinks = 0, ports = 0;  // that the programs hang in
  uint64_t sources = 0;             // served, as of some seconds ago
  uint64_t full = 0;                // offered, and no room
  std::string handover_problem;          // why it is not kept for the next daemon
};

class FastPath : public Observer {
 public:
  // Begins with the engine's snapshot. Throws IoFailure: not built, not permitted, or refused by the kernel; then nothing
  // is attached. When it is destroyed nothing is attached any more. The engine must outlive it.
  static std::unique_ptr<FastPath> open(Engine& engine, const FastPathOptions& options);
  // Why it cannot be opened here; empty when it can.
  static std::string problem();
  // Takes away what a daemon of this TUN left attached when it was killed.
  static void clear(const std::string& tun);
  // What a daemon left pinned in a folder: the sources that it served, with its numbers; and the name of the form that can be
  // read here.
  static std::vector<Row> left_in(const std::string& folder);
  static std::string layout();

  // Control thread, once its neighbours are being told of: returns when the programs are attached, in the place of those that
  // an earlier daemon left.
  virtual void attach() = 0;
  // Control thread: what is attached stays so when it is destroyed, for the next daemon.
  virtual void leave() = 0;

  // Control thread, after each publish of the engine's, with what that returned: when this returns, no source of a service that changed goes where it
  // went before.
  virtual void publish(const Replaced& replaced) = 0;
  // Control thread, after entries of these scopes were put or forgotten: likewise for their services.
  virtual void invalidate(const std::unordered_set<uint32_t>& scopes) = 0;
  // Control thread: the uplinks, the bridges from now on.
  virtual void use_uplinks(std::vector<std::string> names) = 0;
  virtual void use_bridges(std::vector<std::string> names) = 0;
  // Control thread: whose packets are to take the slow path from now on, kWatchesAtMost at the most. When it returns they do.
  virtual void watch(const std::vector<WatchFilter>& filters) = 0;
  // Control thread: adds what the programs have counted to what the packet threads have.
  virtual void add_to(Counters& counters) const = 0;
  virtual FastPathCounters counters() const = 0;
};

}  // namespace onehop

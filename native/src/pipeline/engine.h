// The pure pipeline: bytes in, a result out. No system call, no clock, no Node-API in here or below.
//
// Threads: one control thread publishes snapshots and reads counters; each packet thread owns one Worker.
// Between Worker::begin and Worker::end a worker sees one snapshot, whole; publish never waits for workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "../packet/offload.h"
#include "../table/source.h"

namespace onehop {

enum class Way : uint8_t {
  kNone,       // dropped: nothing leaves
  kContainer,  // to the container's bridge, or into the TUN when its neighbour is not resolved
  kTun,        // into the TUN: the kernel routes it
};

struct Result {
  uint8_t code;  // position in REASONS (verdict.h)
  Way way;
  uint32_t service = 0;    // ids; 0: none
  uint32_t container = 0;
  uint32_t length = 0;     // bytes of packet.data that leave; offload is updated in the packet
  // The client as the table knows it: masked where a service's prefix says so.
  bool has_source = false;  // false: the packet names none
  bool is_v6 = false;
  Address source{};
};

// Each at least 1; create throws std::invalid_argument above 2^27, 2^24 and 2^24.
struct TableSizes {
  uint32_t capacity;
  uint32_t probation;
  uint32_t flows;
};

// A container's addresses in network order, for whoever resolves neighbours.
struct ContainerAddress {
  uint32_t container;
  bool is_v6;
  uint8_t bytes[16];  // the first 4 for IPv4
};

struct Traffic {
  uint64_t packets = 0;
  uint64_t bytes = 0;
};

struct IdTraffic {
  uint32_t id;
  Traffic in, out;
};

struct Counters {
  Traffic received;
  std::vector<Traffic> reasons;  // by code
  std::vector<IdTraffic> services, containers;
  uint64_t entries = 0, capacity = 0, probation = 0, moved = 0, full = 0, expired = 0;
};

struct EntryView {
  uint32_t scope;
  bool is_v6;
  uint8_t source[16];  // the first 4 for IPv4
  uint32_t container;
  Origin origin;
  uint32_t since_seconds, seen_seconds;
};

class Engine;

// A packet thread's handle. Not shared between threads.
class Worker {
 public:
  virtual ~Worker() = default;
  virtual void begin(uint32_t now_seconds) = 0;
  virtual Result process(Packet& packet) = 0;
  virtual void end() = 0;
};

class Engine {
 public:
  static std::unique_ptr<Engine> create(const TableSizes& sizes);
  virtual ~Engine() = default;

  // Control thread. `encoded` is src/dataplane/encode.ts's form; throws std::invalid_argument naming the
  // field when it is malformed, and then the snapshot in force stays. The first snapshot's key stays the
  // table's: a new key would lose every place in it.
  virtual void publish(std::span<const uint8_t> encoded) = 0;
  // Control thread: the containers of the snapshot in force.
  virtual std::vector<ContainerAddress> container_addresses() const = 0;

  // Control thread, after the first publish; throws std::logic_error before. The worker is destroyed on the
  // control thread, before the engine.
  virtual std::unique_ptr<Worker> attach() = 0;

  // Control thread: removes entries idle too long; returns how many. None before the first publish.
  virtual uint32_t expire(uint32_t now_seconds) = 0;
  // Control thread.
  virtual Counters counters() const = 0;
  // Control thread. Up to `most` entries from position `cursor` on; returns the next cursor, 0 at the end.
  virtual uint64_t entries(uint64_t cursor, uint32_t most, std::vector<EntryView>& out) const = 0;
};

}  // namespace onehop

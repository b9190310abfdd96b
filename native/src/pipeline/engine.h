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
#include <utility>
#include <vector>

#include "../packet/offload.h"
#include "../table/entries.h"
#include "../table/new_sources.h"
#include "refusals.h"
#include "replaced.h"

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
  // A request whose next will go the same way while snapshot and entry stay: the source has an entry, and the entry says
  // so too.
  bool is_settled = false;
  uint32_t scope = 0;  // is_settled: what the entry is shared by
};

// Each at least 1; create throws std::invalid_argument above 2^27, and 2^24 for the others.
struct TableSizes {
  uint32_t capacity;
  uint32_t probation;
  uint32_t flows;
  uint32_t fragments;
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
  uint64_t entries = 0, capacity = 0, probation = 0, made = 0, moved = 0, full = 0, over_quota = 0, expired = 0;
  std::vector<std::pair<uint32_t, uint32_t>> scopes;  // entries by scope
};

struct RefusedReason {
  Traffic traffic;
  Refusal last;
};

class Engine;
class Forecast;
class SnapshotLookup;
struct PairWords;

// A packet thread's handle. Not shared between threads.
class Worker {
 public:
  virtual ~Worker() = default;
  // `milliseconds`: of that second. Only what people read goes by them.
  virtual void begin(uint32_t now_seconds, uint32_t milliseconds = 0) = 0;
  // Between begin and end: the engine's, at the latest of `begin`.
  virtual uint32_t version() const = 0;
  virtual Result process(Packet& packet) = 0;
  // The same for several, in order; `results` has room for as many. Faster where sources are many: what the
  // table knows of each is on its way from memory while the others are parsed.
  virtual void process(std::span<Packet> packets, Result* results) = 0;
  virtual void end() = 0;
};

class Engine {
 public:
  // `advice` hears of the table's memory (table/entries.h); io/pages.h has one.
  static std::unique_ptr<Engine> create(const TableSizes& sizes, PageAdvice advice = nullptr);
  virtual ~Engine() = default;

  // Control thread. `encoded` is src/dataplane/encode.ts's form: what makes the next snapshot of the one in force. Throws
  // std::invalid_argument naming the field when it is malformed, and then the snapshot in force stays. The first snapshot's key stays the
  // table's: a new key would lose every place in it. Returns what changed.
  virtual Replaced publish(std::span<const uint8_t> encoded) = 0;
  // Control thread, after the first publish: the snapshot in force, until the next.
  virtual const SnapshotLookup& lookup() const = 0;
  // Control thread: how often what decides was changed by publish, put or forget. A decision by a worker whose version is
  // the same or higher knows of the change.
  virtual uint32_t version() const = 0;
  // Control thread: the containers of the snapshot in force, and a number that changes when the list does.
  virtual const std::vector<ContainerAddress>& container_addresses() const = 0;
  virtual uint64_t container_addresses_version() const = 0;

  // Control thread, after the first publish; throws std::logic_error before. The worker is destroyed on the
  // control thread, before the engine.
  virtual std::unique_ptr<Worker> attach() = 0;

  // Any thread, after the first publish: a source has sent more without passing a worker, and was seen at `seen_seconds`.
  virtual void heard(const SourceKey& key, const EntryTally& more, uint32_t seen_seconds) = 0;
  // Control thread: removes entries idle too long; returns how many. None before the first publish.
  virtual uint64_t expire(uint32_t now_seconds) = 0;
  // Control thread.
  virtual Counters counters() const = 0;

  // Control thread: of each reason for which packets were dropped or refused, in the order of codes.
  virtual std::vector<RefusedReason> refusals() const = 0;

  // Control thread. The table's rows, many at a time; entries.h says what each promises. Rows that are put or forgotten
  // are checked first: std::invalid_argument names the first that is none, and std::logic_error says that there is no
  // table before the first publish.
  virtual uint32_t find(std::span<const Row> rows, std::span<Row> out) const = 0;
  virtual uint32_t find_on_probation(std::span<const Row> rows, std::span<Row> out) const = 0;
  virtual Entries::Listed rows(uint64_t cursor, std::span<Row> out) const = 0;
  virtual uint64_t put(std::span<const Row> rows, bool is_whole) = 0;
  virtual uint64_t forget(std::span<const Row> rows) = 0;
  // Control thread: how many entries lead to a container, and whose turn it is in a service. 0 before the first publish.
  virtual uint32_t sources_on(uint32_t container) = 0;
  virtual uint32_t turn(uint32_t service, bool is_v6) = 0;
  // Control thread: what keeps a source from a place on probation if nobody knows it; it takes none.
  virtual Limit limit_of(const Address& source, bool is_v6, uint32_t now_seconds) = 0;
  // Control thread, after the first publish: of the snapshot that `encoded` makes of the one in force (forecast.h). Throws as
  // publish does. To be destroyed before the engine.
  virtual std::unique_ptr<Forecast> forecast(std::span<const uint8_t> encoded, std::span<const PairWords> pairs) = 0;
  // Any thread, after the first publish.
  virtual ChangeLog::Batch changes(uint64_t position, std::span<Row> out) const = 0;
};

}  // namespace onehop

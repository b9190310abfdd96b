#include "engine.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "container_addresses.h"
#include "counters.h"
#include "forecast.h"
#include "pipeline.h"

namespace onehop {

namespace {

// What belongs to one worker and outlives it: its counts go on counting for the next one.
struct alignas(64) Seat {
  // The snapshot in use between begin and end; it is not freed meanwhile.
  std::atomic<const SnapshotLookup*> in_use{nullptr};
  bool is_taken = false;
  WorkerCounters counters;
  Refusals refusals;
};

// What every packet thread shares, made at the first publish: it knows the key by then.
struct Tables {
  Tables(const TableSizes& sizes, const HashKey& key, PageAdvice advice)
      : table(sizes.capacity, sizes.probation, key, advice),
        flows(sizes.flows, key),
        fragments(sizes.fragments, key),
        new_sources(key) {}
  DistributionTable table;
  FlowTable flows;
  FragmentTable fragments;
  NewSources new_sources;
  SecondBudget errors{kErrorsPerSecond};
  TurnCounters turns;
};

class alignas(64) PipelineWorker final : public Worker {
 public:
  PipelineWorker(const std::atomic<const SnapshotLookup*>& current, const std::atomic<uint32_t>& engine_version,
                 Tables& tables, Seat& seat)
      : current_(current), engine_version_(engine_version), tables_(tables), seat_(seat) {
    seat_.is_taken = true;
  }
  ~PipelineWorker() override {
    seat_.in_use.store(nullptr, std::memory_order_release);
    seat_.is_taken = false;
  }

  // A hazard pointer: what was announced and is still current after that cannot have been freed before.
  void begin(uint32_t now_seconds, uint32_t milliseconds) override {
    now_ = now_seconds;
    now_ms_ = uint64_t{now_seconds} * 1000 + milliseconds;
    version_ = engine_version_.load(std::memory_order_acquire);
    do {
      lookup_ = current_.load(std::memory_order_acquire);
      seat_.in_use.store(lookup_, std::memory_order_seq_cst);
    } while (current_.load(std::memory_order_seq_cst) != lookup_);
  }

  Result process(Packet& packet) override {
    Result result;
    process({&packet, 1}, &result);
    return result;
  }

  void process(std::span<Packet> packets, Result* results) override {
    const PipelineState state{*lookup_,      tables_.table,       tables_.flows, tables_.fragments, tables_.errors,
                              tables_.turns, tables_.new_sources, tally_,        refused_,          now_};
    for (size_t start = 0; start < packets.size(); start += kPreparedAtOnce) {
      const std::span<Packet> some = packets.subspan(start, std::min(kPreparedAtOnce, packets.size() - start));
      for (size_t i = 0; i < some.size(); i++) prepare_packet(some[i], state, prepared_[i]);
      for (size_t i = 0; i < some.size(); i++) locate_source(state, prepared_[i]);
      for (size_t i = 0; i < some.size(); i++) {
        const uint32_t received = some[i].length;
        // Made in its place: to copy what has just been written field by field takes as long as to look it up.
        const Result& result = *::new (&results[start + i]) Result(process_packet(some[i], prepared_[i], state));
        seat_.counters.count(result, received);
        if (is_refusal(static_cast<Code>(result.code))) [[unlikely]]
          keep_refusal(some[i], received, prepared_[i], result);
      }
    }
  }

  uint32_t version() const override { return version_; }

  [[gnu::noinline]] void keep_refusal(const Packet& packet, uint32_t received, const PreparedPacket& prepared,
                                      const Result& result) {
    if (!seat_.refusals.is_due(result.code, now_ms_)) return;
    // What is dropped is as it came.
    if (is_drop(static_cast<Code>(result.code))) refused_.keep(packet.data, packet.offload.needs_checksum);
    seat_.refusals.keep({.at_ms = now_ms_,
                         .service = result.service != 0 ? result.service : service_of(prepared),
                         .length = received,
                         .code = result.code,
                         .direction = direction_of(prepared),
                         .zero = {},
                         .beginning = refused_});
  }

  void end() override {
    tally_.flush(tables_.table.entries());
    seat_.in_use.store(nullptr, std::memory_order_release);
  }

 private:
  const std::atomic<const SnapshotLookup*>& current_;
  const std::atomic<uint32_t>& engine_version_;
  Tables& tables_;
  Seat& seat_;
  const SnapshotLookup* lookup_ = nullptr;
  uint32_t now_ = 0, version_ = 0;
  uint64_t now_ms_ = 0;
  Beginning refused_{};
  PendingTally tally_;
  // As many as a core has misses under way at a time, about.
  static constexpr size_t kPreparedAtOnce = 16;
  PreparedPacket prepared_[kPreparedAtOnce];
};

void check_size(const char* name, uint32_t size, uint32_t most) {
  if (size < 1 || size > most)
    throw std::invalid_argument(std::string(name) + ": " + std::to_string(size) + "; expected 1 to " +
                                std::to_string(most));
}

void check_rows(std::span<const Row> rows) {
  const auto fail = [](size_t at, const char* field, uint32_t value, const char* expected) {
    throw std::invalid_argument("rows[" + std::to_string(at) + "]." + field + ": " + std::to_string(value) +
                                "; expected " + expected);
  };
  for (size_t i = 0; i < rows.size(); i++) {
    const Row& row = rows[i];
    if (row.key().scope >= kScopesBelow) fail(i, "scope", row.key().scope, "less than 2^24");
    if (row.value().container >= kIdsBelow) fail(i, "container", row.value().container, "less than 2^24");
    if (row.container_origin >> 30 > static_cast<uint32_t>(Origin::kRestored)) fail(i, "origin", 3, "0 to 2");
  }
}

class PipelineEngine final : public Engine {
 public:
  PipelineEngine(const TableSizes& sizes, PageAdvice advice) : sizes_(sizes), advice_(advice) {
    check_size("capacity", sizes.capacity, 1 << 27);
    check_size("probation", sizes.probation, 1 << 24);
    check_size("flows", sizes.flows, 1 << 24);
    check_size("fragments", sizes.fragments, 1 << 24);
  }

  Replaced publish(std::span<const uint8_t> encoded) override {
    const SnapshotLookup* before = snapshots_.empty() ? nullptr : snapshots_.back().get();
    Replaced replaced;
    auto next = std::make_shared<const SnapshotLookup>(before, decode_update(encoded), replaced);
    if (!tables_) tables_ = std::make_unique<Tables>(sizes_, next->key(), advice_);
    make_room(replaced);
    containers_.follow(replaced);
    snapshots_.push_back(std::move(next));
    current_.store(snapshots_.back().get(), std::memory_order_seq_cst);
    count_change();
    free_unused();
    return replaced;
  }

  const SnapshotLookup& lookup() const override { return *snapshots_.back(); }
  uint32_t version() const override { return version_.load(std::memory_order_relaxed); }

  const std::vector<ContainerAddress>& container_addresses() const override { return containers_.list(); }
  uint64_t container_addresses_version() const override { return containers_.version(); }

  std::unique_ptr<Worker> attach() override {
    Tables& shared = tables();
    Seat& seat = free_seat();
    make_room(seat.counters);
    return std::make_unique<PipelineWorker>(current_, version_, shared, seat);
  }

  void heard(const SourceKey& key, const EntryTally& more, uint32_t seen_seconds) override {
    tables_->table.heard(key, more, seen_seconds);
  }

  uint64_t expire(uint32_t now_seconds) override {
    if (!tables_) return 0;
    free_unused();
    const SnapshotLookup& lookup = *snapshots_.back();
    return tables_->table.expire(now_seconds, [&lookup](uint32_t scope) { return lookup.idle_of(scope); });
  }

  Counters counters() const override;
  std::vector<RefusedReason> refusals() const override;
  Entries::Listed rows(uint64_t cursor, std::span<Row> out) const override {
    return tables_ ? tables_->table.entries().list(cursor, out) : Entries::Listed{0, 0};
  }
  uint32_t find(std::span<const Row> rows, std::span<Row> out) const override {
    return tables_ ? tables_->table.entries().find(rows, out) : 0;
  }
  uint32_t find_on_probation(std::span<const Row> rows, std::span<Row> out) const override {
    return tables_ ? tables_->table.find_on_probation(rows, out) : 0;
  }
  uint32_t sources_on(uint32_t container) override {
    return tables_ && container <= most_container_ ? tables_->table.entries().sources_on(container) : 0;
  }
  uint32_t turn(uint32_t service, bool is_v6) override {
    return tables_ && service <= most_service_ ? tables_->turns.peek(service, is_v6) : 0;
  }
  Limit limit_of(const Address& source, bool is_v6, uint32_t now_seconds) override {
    if (!tables_) return Limit::kNone;
    return tables_->new_sources.limit_of(source, is_v6, snapshots_.back()->new_sources(), now_seconds);
  }
  uint64_t put(std::span<const Row> rows, bool is_whole) override {
    check_rows(rows);
    Entries& entries = tables().table.entries();
    for (const Row& row : rows) {
      entries.make_room(row.key().scope);
      entries.make_container_room(row.value().container);
    }
    const uint64_t refused = entries.put(rows, is_whole);
    count_change();
    return refused;
  }
  uint64_t forget(std::span<const Row> rows) override {
    check_rows(rows);
    const uint64_t forgotten = tables().table.entries().forget(rows);
    count_change();
    return forgotten;
  }
  // Ids that only it has take room for good, as they do when it is published.
  std::unique_ptr<Forecast> forecast(std::span<const uint8_t> encoded, std::span<const PairWords> pairs) override {
    Tables& shared = tables();
    Replaced replaced;
    auto other = std::make_shared<const SnapshotLookup>(snapshots_.back().get(), decode_update(encoded), replaced);
    make_room(replaced);
    return std::make_unique<Forecast>(snapshots_.back(), std::move(other), pairs, shared.table, shared.turns);
  }
  ChangeLog::Batch changes(uint64_t position, std::span<Row> out) const override {
    return tables_ ? tables_->table.entries().changes().read(position, out) : ChangeLog::Batch{position, 0, false};
  }

 private:
  Tables& tables() const {
    if (!tables_) throw std::logic_error("no table before the first publish");
    return *tables_;
  }

  void make_room(const Replaced& replaced) {
    for (const auto& service : replaced.come) {
      most_service_ = std::max(most_service_, service->id);
      for (const Member& member : service->members) most_container_ = std::max(most_container_, member.container);
      for (const Front& front : service->fronts) tables_->table.entries().make_room(front.scope);
    }
    tables_->turns.make_room(most_service_);
    tables_->table.entries().make_container_room(most_container_);
    for (const auto& seat : seats_) make_room(seat->counters);
  }
  void make_room(WorkerCounters& counters) const {
    counters.services.make_room(most_service_);
    counters.containers.make_room(most_container_);
  }

  // After the change: a worker that sees this sees that.
  void count_change() { version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  Seat& free_seat() {
    for (const auto& seat : seats_)
      if (!seat->is_taken) return *seat;
    return *seats_.emplace_back(std::make_unique<Seat>());
  }

  // All but the current one that no worker has announced. A worker that announces one now finds that another
  // is current and lets go of it without having looked inside.
  void free_unused() {
    std::erase_if(snapshots_, [this](const auto& snapshot) {
      if (snapshot == snapshots_.back()) return false;
      for (const auto& seat : seats_)
        if (seat->in_use.load(std::memory_order_seq_cst) == snapshot.get()) return false;
      return true;
    });
  }

  const TableSizes sizes_;
  const PageAdvice advice_;
  alignas(64) std::atomic<const SnapshotLookup*> current_{nullptr};
  std::atomic<uint32_t> version_{0};
  std::unique_ptr<Tables> tables_;
  std::vector<std::unique_ptr<Seat>> seats_;
  ContainerAddresses containers_;
  uint32_t most_service_ = 0, most_container_ = 0;  // ids ever
  std::vector<std::shared_ptr<const SnapshotLookup>> snapshots_;  // the last is the current one
};

Traffic& operator+=(Traffic& sum, const Traffic& traffic) {
  sum.packets += traffic.packets;
  sum.bytes += traffic.bytes;
  return sum;
}

using TrafficById = std::map<uint32_t, IdTraffic>;

void add(TrafficById& sums, const TallyById& tallies) {
  tallies.for_each([&sums](uint32_t id, const BothWays& both) {
    const Traffic in = both.in.read(), out = both.out.read();
    if (in.packets + out.packets == 0) return;
    IdTraffic& sum = sums.try_emplace(id, IdTraffic{id, {}, {}}).first->second;
    sum.in += in;
    sum.out += out;
  });
}

std::vector<IdTraffic> list_of(const TrafficById& sums) {
  std::vector<IdTraffic> list;
  for (const auto& [id, sum] : sums) list.push_back(sum);
  return list;
}

// What was received is the sum of the verdicts, so the two always agree.
Counters PipelineEngine::counters() const {
  Counters counters;
  counters.reasons.resize(kReasonCount);
  TrafficById services, containers;
  for (const auto& seat : seats_) {
    for (uint32_t code = 0; code < kReasonCount; code++) counters.reasons[code] += seat->counters.reasons[code].read();
    add(services, seat->counters.services);
    add(containers, seat->counters.containers);
  }
  for (const Traffic& reason : counters.reasons) counters.received += reason;
  counters.services = list_of(services);
  counters.containers = list_of(containers);
  counters.capacity = sizes_.capacity;
  if (!tables_) return counters;
  const TableCounters& table = tables_->table.counters;
  counters.entries = tables_->table.entries().size();
  counters.probation = table.probation.load(std::memory_order_relaxed);
  counters.made = table.made.load(std::memory_order_relaxed);
  counters.moved = table.moved.load(std::memory_order_relaxed);
  counters.full = table.full.load(std::memory_order_relaxed);
  counters.over_quota = table.over_quota.load(std::memory_order_relaxed);
  counters.expired = table.expired.load(std::memory_order_relaxed);
  tables_->table.entries().for_each_scope(
      [&counters](uint32_t scope, uint32_t entries) { counters.scopes.emplace_back(scope, entries); });
  return counters;
}

std::vector<RefusedReason> PipelineEngine::refusals() const {
  std::vector<RefusedReason> list;
  for (uint32_t code = 0; code < kReasonCount; code++) {
    Traffic traffic;
    std::optional<Refusal> last;
    for (const auto& seat : seats_) {
      traffic += seat->counters.reasons[code].read();
      const auto own = seat->refusals.last(static_cast<uint8_t>(code));
      if (own && (!last || own->at_ms > last->at_ms)) last = own;
    }
    if (last) list.push_back({traffic, *last});
  }
  return list;
}

}  // namespace

std::unique_ptr<Engine> Engine::create(const TableSizes& sizes, PageAdvice advice) {
  return std::make_unique<PipelineEngine>(sizes, advice);
}

}  // namespace onehop

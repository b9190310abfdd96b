// System calls: bpf(2), by libbpf; clock_gettime.
#include "adoption.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "../io/descriptor.h"
#include "../io/failure.h"
#include "../pipeline/decide.h"
#include "map.h"

// Made at build (native/bpf/build.py).
extern const char onehop_bpf_layout[];

namespace onehop {

namespace {

// What tells a source that is served from one that a change has retired.
constexpr const char* kPinned[] = {"sources", "fronts"};

std::string path_of(const std::string& folder, const char* map) { return folder + "/" + map; }

uint32_t now_seconds() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint32_t>(now.tv_sec);
}

// By service. Of one whose ways in were being written when the daemon died, the newer.
std::unordered_map<uint32_t, uint32_t> generations_in(const Map<fast_end, fast_front>& fronts) {
  std::unordered_map<uint32_t, uint32_t> generations;
  const auto note = [&generations](const fast_end&, const fast_front& front) {
    uint32_t& generation = generations[front.service];
    generation = std::max(generation, front.generation);
  };
  for (MapCursor cursor; fronts.next(cursor, note);) {
  }
  return generations;
}

Row row_of(const fast_source_key& key, const fast_source& source) {
  return {.source = {key.source.high, key.source.low},
          .scope_word = key.scope,
          .container_origin = source.container,
          .since = source.seen,
          .seen = source.seen,
          .packets = 0,
          .change = 0,
          .bytes = 0};
}

// The ways in by the scope, and the family, of their entries: one of each will do, since services of the fast path share
// scopes with no other and all of a service's ways in decide alike.
using Fronts = std::unordered_map<uint32_t, const Front*>;

Fronts fronts_by_scope(const SnapshotLookup& lookup) {
  Fronts fronts;
  lookup.for_each_service([&fronts](const std::shared_ptr<const Service>& service) {
    for (const Front& front : service->fronts) fronts[SourceKey{{}, front.scope, front.is_v6}.scope_word()] = &front;
  });
  return fronts;
}

bool is_local(const SourceKey& key, const Aliases& aliases) {
  return aliases.is_alias(key.source, key.is_v6) || aliases.alias_of(key.source, key.is_v6).has_value();
}

std::optional<Offer> offer_for(const SourceKey& key, const Front& front, const Engine& engine) {
  if (is_local(key, engine.lookup().aliases())) return std::nullopt;
  const Row asked = gone_row(key, 0, false);
  Row found;
  if (engine.find({&asked, 1}, {&found, 1}) == 0) return std::nullopt;
  const Member* known = usable_member(front, found.value().container);
  if (known == nullptr || !is_admitted(key.source, front)) return std::nullopt;
  Pinned pinned;
  if (front.has_pins) pinned = find_pinned(key.source, front, key, engine.lookup().key(), known);
  if (pinned.is_covered && pinned.member != known) return std::nullopt;
  return Offer{key, front.service_id, known->container, engine.version(), pinned.is_covered};
}

}  // namespace

const char* pinned_layout() { return onehop_bpf_layout; }

void pin(const Program& program, const std::string& folder) {
  for (const char* map : kPinned)
    if (const int error = -bpf_obj_pin(program.map(map), path_of(folder, map).c_str()))
      throw system_failure("pin " + path_of(folder, map), error);
}

std::vector<Row> read_pinned(const std::string& folder) {
  const Descriptor sources(bpf_obj_get(path_of(folder, "sources").c_str()));
  const Descriptor fronts(bpf_obj_get(path_of(folder, "fronts").c_str()));
  if (!sources.is_open() || !fronts.is_open()) return {};
  const auto generations = generations_in(Map<fast_end, fast_front>(fronts.number()));
  const uint32_t now = now_seconds();
  std::vector<Row> rows;
  const auto keep = [&](const fast_source_key& key, const fast_source& source) {
    const auto generation = generations.find(key.service);
    const bool is_in_force = generation != generations.end() && generation->second == source.generation;
    if (is_in_force && !is_idle(source.seen, now, FAST_SILENT_SECONDS)) rows.push_back(row_of(key, source));
  };
  const Map<fast_source_key, fast_source> served(sources.number());
  for (MapCursor cursor; served.next(cursor, keep);) {
  }
  return rows;
}

std::vector<Offer> offers_for(std::span<const Row> rows, const Engine& engine) {
  const Fronts fronts = fronts_by_scope(engine.lookup());
  std::vector<Offer> offers;
  for (const Row& row : rows) {
    const auto front = fronts.find(row.scope_word);
    if (front == fronts.end()) continue;
    if (auto offer = offer_for(row.key(), *front->second, engine)) offers.push_back(*std::move(offer));
  }
  return offers;
}

}  // namespace onehop

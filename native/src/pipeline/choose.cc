#include "choose.h"

namespace onehop {

namespace {

// Another one for each service, lest a source meet the same neighbours everywhere.
uint64_t seeded_hash(const Service& service, const SourceKey& key, const HashKey& hash_key) {
  uint8_t bytes[20];
  std::memcpy(bytes, &key.source, 16);
  std::memcpy(bytes + 16, &service.seed, 4);
  return siphash(hash_key, bytes, sizeof bytes);
}

// Whether `a` with one source more would have fewer than `b` with one more, each for its weight.
bool has_fewer(const Member& a, const Member& b, bool is_v6, const Past& past) {
  const auto sources = [&past](const Member& member) { return uint64_t{past.sources_on(member.container)} + 1; };
  return sources(a) * b.weight[is_v6] < sources(b) * a.weight[is_v6];
}

// The first from a row on, round the list, with the fewest sources for its weight.
const Member* least_of(const Service& service, bool is_v6, size_t start, const Past& past) {
  const Ring& list = *service.ring[is_v6];
  const Member* least = &service.members[list[start]];
  for (size_t i = 1; i < list.size(); i++) {
    const Member& member = service.members[list[start + i < list.size() ? start + i : start + i - list.size()]];
    if (has_fewer(member, *least, is_v6, past)) least = &member;
  }
  return least;
}

// Two rows, so that weights tell how often a member is among the two; the same one twice may be.
const Member* fewer_of_two(const Service& service, bool is_v6, uint64_t hash, const Past& past) {
  const Ring& ring = *service.ring[is_v6];
  const Member& first = service.members[ring[static_cast<uint32_t>(hash) % ring.size()]];
  const Member& second = service.members[ring[(hash >> 32) % ring.size()]];
  return has_fewer(second, first, is_v6, past) ? &second : &first;
}

}  // namespace

const Member* choose(const Front& front, const SourceKey& key, const HashKey& hash_key, const Past& past) {
  const Service& service = *front.service;
  const Ring& ring = *service.ring[front.is_v6];
  if (ring.empty()) return nullptr;
  switch (service.algorithm) {
    case Algorithm::kMaglev:
      return &service.members[ring[siphash(hash_key, &key.source, sizeof key.source) % ring.size()]];
    case Algorithm::kWeightedRoundRobin: {
      const uint32_t turn = past.is_taking ? past.turns.take(service.id, front.is_v6) : past.turns.peek(service.id, front.is_v6);
      return &service.members[ring[turn % ring.size()]];
    }
    case Algorithm::kLeastSources:
      return least_of(service, front.is_v6, seeded_hash(service, key, hash_key) % ring.size(), past);
    case Algorithm::kRandomTwo:
      return fewer_of_two(service, front.is_v6, seeded_hash(service, key, hash_key), past);
  }
  return nullptr;
}

}  // namespace onehop

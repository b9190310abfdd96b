#include "maglev.h"

#include <algorithm>
#include <string>

namespace onehop {

namespace {

constexpr uint32_t kRingSizes[] = {1021, 4093, 16381, 65521, 262139, 1048573};
constexpr size_t kRowsPerMember = 100;

// A member on its way through its own permutation of the rows.
struct Walker {
  const RingMember* member;
  uint32_t row, skip;
  uint64_t credit = 0;
};

uint64_t hash_of(std::string_view name, char purpose, const HashKey& key) {
  const std::string text = std::string(name) + purpose;
  return siphash(key, text.data(), text.size());
}

std::vector<Walker> walkers_of(std::span<const RingMember> members, uint32_t size, const HashKey& key) {
  std::vector<Walker> walkers;
  walkers.reserve(members.size());
  for (const RingMember& member : members)
    walkers.push_back({&member, static_cast<uint32_t>(hash_of(member.name, 0, key) % size),
                       static_cast<uint32_t>(1 + hash_of(member.name, 1, key) % (size - 1))});
  std::ranges::sort(walkers, {}, [](const Walker& walker) { return walker.member->name; });
  return walkers;
}

}  // namespace

uint32_t ring_size(size_t members) {
  for (const uint32_t size : kRingSizes)
    if (size >= members * kRowsPerMember) return size;
  return *std::rbegin(kRingSizes);
}

std::vector<uint16_t> build_ring(std::span<const RingMember> members, const HashKey& key) {
  if (members.empty()) return {};
  const uint32_t size = ring_size(members.size());
  const uint32_t heaviest = std::ranges::max(members, {}, &RingMember::weight).weight;
  std::vector<Walker> walkers = walkers_of(members, size, key);
  std::vector<uint16_t> ring(size);
  std::vector<bool> is_taken(size);
  for (uint32_t filled = 0;;) {
    for (Walker& walker : walkers) {
      walker.credit += walker.member->weight;
      if (walker.credit < heaviest) continue;
      walker.credit -= heaviest;
      while (is_taken[walker.row]) walker.row = (walker.row + walker.skip) % size;
      is_taken[walker.row] = true;
      ring[walker.row] = walker.member->position;
      if (++filled == size) return ring;
    }
  }
}

}  // namespace onehop

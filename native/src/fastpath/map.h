// eBPF maps with keys and values of known types. System calls: bpf(2).
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace onehop {

// Where a walk through a hash map stands.
struct MapCursor {
  uint32_t position = 0;
  bool is_begun = false;
};

namespace detail {

// Visits the next elements, at most as many as there is room for, with one system call. False at the end.
template <typename Key, typename Visit>
bool next_batch(int map, MapCursor& cursor, std::vector<Key>& keys, std::vector<uint8_t>& values, Visit visit) {
  auto count = static_cast<uint32_t>(keys.size());
  const size_t length = values.size() / keys.size();
  const int error = -bpf_map_lookup_batch(map, cursor.is_begun ? &cursor.position : nullptr, &cursor.position,
                                          keys.data(), values.data(), &count, nullptr);
  cursor.is_begun = true;
  if (error != 0 && error != ENOENT) return false;
  for (uint32_t i = 0; i < count; i++) visit(keys[i], values.data() + i * length);
  return error == 0;
}

}  // namespace detail

template <typename Key, typename Value>
class Map {
 public:
  explicit Map(int number) : number_(number) {}

  // Each returns errno's value; E2BIG: the map is full.
  int put(const Key& key, const Value& value) { return -bpf_map_update_elem(number_, &key, &value, BPF_ANY); }
  int erase(const Key& key) { return -bpf_map_delete_elem(number_, &key); }

  std::optional<Value> lookup(const Key& key) const {
    Value value;
    if (bpf_map_lookup_elem(number_, &key, &value) != 0) return std::nullopt;
    return value;
  }

  // Visits some more of all, with one system call. False at the end. One that comes or goes meanwhile may be missed.
  template <typename Visit>
  bool next(MapCursor& cursor, Visit visit) const {
    std::vector<Key> keys(kAtOnce);
    std::vector<uint8_t> values(kAtOnce * sizeof(Value));
    return detail::next_batch(number_, cursor, keys, values, [&visit](const Key& key, const uint8_t* bytes) {
      Value value;
      std::memcpy(&value, bytes, sizeof value);
      visit(key, value);
    });
  }

 private:
  static constexpr size_t kAtOnce = 4096;

  int number_;
};

// An array whose values are one a processor.
template <typename Value>
class PerProcessorPlaces {
 public:
  explicit PerProcessorPlaces(int number) : number_(number) {}

  // Visits each processor's value of one place.
  template <typename Visit>
  void read(uint32_t place, Visit visit) const {
    std::vector<uint8_t> values(length());
    if (bpf_map_lookup_elem(number_, &place, values.data()) == 0) split(values.data(), visit);
  }

  // Zeros. Returns errno's value.
  int clear(uint32_t place) {
    const std::vector<uint8_t> zeros(length());
    return -bpf_map_update_elem(number_, &place, zeros.data(), BPF_ANY);
  }

  // Visits (place, value) of each processor, for the places below `end`.
  template <typename Visit>
  void for_each(uint32_t end, Visit visit) const {
    std::vector<uint32_t> places(std::min(end, kAtOnce));
    std::vector<uint8_t> values(places.size() * length());
    const auto each = [&](uint32_t place, const uint8_t* bytes) {
      split(bytes, [&](const Value& value) {
        if (place < end) visit(place, value);
      });
    };
    uint32_t seen = 0;
    for (MapCursor cursor; seen < end && detail::next_batch(number_, cursor, places, values, each);)
      seen += static_cast<uint32_t>(places.size());
  }

 private:
  static_assert(sizeof(Value) % 8 == 0);  // the kernel pads each to that
  static constexpr uint32_t kAtOnce = 128;

  static size_t length() { return sizeof(Value) * static_cast<size_t>(libbpf_num_possible_cpus()); }

  template <typename Visit>
  static void split(const uint8_t* bytes, Visit visit) {
    for (size_t at = 0; at < length(); at += sizeof(Value)) {
      Value value;
      std::memcpy(&value, bytes + at, sizeof value);
      visit(value);
    }
  }

  int number_;
};

}  // namespace onehop

// eBPF maps with keys and values of known types. System calls: bpf(2).
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

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

// Each value is one a processor.
template <typename Key, typename Value>
class PerProcessorMap {
 public:
  explicit PerProcessorMap(int number) : number_(number) {}

  // A new element of zeros. Returns errno's value.
  int make(const Key& key) {
    const std::vector<uint8_t> zeros(length());
    return -bpf_map_update_elem(number_, &key, zeros.data(), BPF_NOEXIST);
  }

  // Visits (key, value) of each processor.
  template <typename Visit>
  void for_each(Visit visit) const {
    std::vector<Key> keys(kAtOnce);
    std::vector<uint8_t> values(kAtOnce * length());
    const auto split = [&](const Key& key, const uint8_t* bytes) {
      for (size_t at = 0; at < length(); at += sizeof(Value)) {
        Value value;
        std::memcpy(&value, bytes + at, sizeof value);
        visit(key, value);
      }
    };
    for (MapCursor cursor; detail::next_batch(number_, cursor, keys, values, split);) {
    }
  }

 private:
  static_assert(sizeof(Value) % 8 == 0);  // the kernel pads each to that
  static constexpr size_t kAtOnce = 128;

  static size_t length() { return sizeof(Value) * static_cast<size_t>(libbpf_num_possible_cpus()); }

  int number_;
};

}  // namespace onehop

// Where the frames for each container go: what the control thread resolves and packet threads look up.
#pragma once

#include <cstdint>
#include <vector>

namespace onehop {

struct HardwareAddress {
  uint8_t bytes[6] = {};
  bool operator==(const HardwareAddress&) const = default;
};

struct Neighbour {
  int interface = 0;  // the bridge's index; 0: not resolved
  uint32_t mtu = 0;   // what the way there takes at most, in bytes of an IP packet
  HardwareAddress destination, source;

  bool is_resolved() const { return interface != 0; }
};

// Immutable once published. Container ids are small and dense, so a place in a vector finds each.
class NeighbourMap {
 public:
  const Neighbour* find(uint32_t container, bool is_v6) const {
    const size_t place = place_of(container, is_v6);
    return place < places_.size() && places_[place].is_resolved() ? &places_[place] : nullptr;
  }

  void set(uint32_t container, bool is_v6, const Neighbour& neighbour) {
    const size_t place = place_of(container, is_v6);
    if (place >= places_.size()) places_.resize(place + 1);
    places_[place] = neighbour;
  }

 private:
  static size_t place_of(uint32_t container, bool is_v6) { return size_t{container} * 2 + is_v6; }

  std::vector<Neighbour> places_;
};

}  // namespace onehop

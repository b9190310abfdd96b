// The addresses of all services' containers, each once, for whoever resolves neighbours. Control thread.
#pragma once

#include <cstring>
#include <unordered_map>
#include <vector>

#include "engine.h"
#include "lookup.h"

namespace onehop {

class ContainerAddresses {
 public:
  const std::vector<ContainerAddress>& list() const { return list_; }
  // Changes when the list does.
  uint64_t version() const { return version_; }

  // What comes first, so that the addresses of a service that changed otherwise stay where they are.
  void follow(const Replaced& replaced) {
    for (const auto& service : replaced.come) for_each_key(*service, [this](const IndexKey& key) { add(key); });
    for (const auto& service : replaced.gone) for_each_key(*service, [this](const IndexKey& key) { remove(key); });
  }

 private:
  struct Place {
    size_t position;   // in list_
    uint32_t members;  // that have it
  };
  struct Hash {
    size_t operator()(const IndexKey& key) const { return key.hash(); }
  };

  template <typename Visit>
  static void for_each_key(const Service& service, Visit visit) {
    for (const Member& member : service.members)
      for (const bool is_v6 : {false, true})
        if (member.has_address[is_v6]) visit(IndexKey{member.address[is_v6], uint64_t{member.container} << 1 | is_v6});
  }

  void add(const IndexKey& key) {
    const auto [found, is_new] = places_.try_emplace(key, Place{list_.size(), 0});
    found->second.members++;
    if (!is_new) return;
    const bool is_v6 = key.rest & 1;
    ContainerAddress& address = list_.emplace_back(ContainerAddress{static_cast<uint32_t>(key.rest >> 1), is_v6, {}});
    std::memcpy(address.bytes, bytes_of(key.address, is_v6), address_length(is_v6));
    version_++;
  }

  // The last one takes the place.
  void remove(const IndexKey& key) {
    const auto found = places_.find(key);
    if (--found->second.members > 0) return;
    const size_t position = found->second.position;
    places_.erase(found);
    list_[position] = list_.back();
    list_.pop_back();
    if (position < list_.size()) places_.find(key_of(list_[position]))->second.position = position;
    version_++;
  }

  static IndexKey key_of(const ContainerAddress& address) {
    return {address_from(address.bytes, address.is_v6), uint64_t{address.container} << 1 | address.is_v6};
  }

  std::vector<ContainerAddress> list_;
  std::unordered_map<IndexKey, Place, Hash> places_;
  uint64_t version_ = 0;
};

}  // namespace onehop

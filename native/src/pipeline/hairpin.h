// Who calls a public address from a container or from the host itself is seen by containers under an alias, so that
// their answers come back here: src/pipeline/hairpin.ts says how.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "index.h"
#include "rewrite.h"
#include "snapshot.h"

namespace onehop {

class Aliases {
 public:
  explicit Aliases(const Hairpin& hairpin) : own_(hairpin.sources.size()), images_(hairpin.sources.size()) {
    for (const bool is_v6 : {false, true}) {
      families_[is_v6].alias = hairpin.alias[is_v6];
      families_[is_v6].is_on = hairpin.is_on;
    }
    for (const SourcePrefix& source : hairpin.sources) add(source);
    for (Family& family : families_) keep_distinct(family.lengths);
  }

  bool is_alias(const Address& address, bool is_v6) const {
    const Family& family = families_[is_v6];
    return family.is_on && masked(address, family.alias.mask) == family.alias.address;
  }

  // How many bits all aliases of a family have in common; 0: there are none.
  uint32_t prefix_length(bool is_v6) const { return families_[is_v6].is_on ? families_[is_v6].alias.length : 0; }

  // What containers see in the place of a source; nothing for one that is not local.
  std::optional<Address> alias_of(const Address& source, bool is_v6) const {
    const AliasPrefix& alias = families_[is_v6].alias;
    if (find(own_, source, is_v6) == Index::kNone) return {};
    return joined(alias.address, source, alias.mask);
  }

  // The local source behind an alias; nothing when there is none.
  std::optional<Address> source_of(const Address& alias, bool is_v6) const {
    const uint32_t at = find(images_, alias, is_v6);
    if (at == Index::kNone) return {};
    return joined(leading_[at], alias, families_[is_v6].alias.mask);
  }

 private:
  struct Length {
    Address mask;
    uint8_t bits;
    auto operator<=>(const Length& other) const { return bits <=> other.bits; }
    bool operator==(const Length& other) const { return bits == other.bits; }
  };
  struct Family {
    bool is_on = false;
    AliasPrefix alias{};
    std::vector<Length> lengths;  // of its sources, each once: mostly a network's and a single address's
  };

  static IndexKey key_of(const Address& prefix, uint8_t bits, bool is_v6) {
    return {prefix, uint64_t{bits} << 1 | is_v6};
  }

  uint32_t find(const Index& prefixes, const Address& address, bool is_v6) const {
    for (const auto& [mask, bits] : families_[is_v6].lengths) {
      const uint32_t at = prefixes.find(key_of(masked(address, mask), bits, is_v6));
      if (at != Index::kNone) return at;
    }
    return Index::kNone;
  }

  void add(const SourcePrefix& source) {
    Family& family = families_[source.is_v6];
    const auto position = static_cast<uint32_t>(leading_.size());
    const Address image = joined(family.alias.address, source.prefix, family.alias.mask);
    own_.insert(key_of(source.prefix, source.length, source.is_v6), position);
    images_.insert(key_of(image, source.length, source.is_v6), position);
    leading_.push_back(source.prefix);
    family.lengths.push_back({mask_of(source.length, source.is_v6), source.length});
  }

  static void keep_distinct(std::vector<Length>& lengths) {
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  }

  Family families_[2];
  Index own_, images_;            // to positions in leading_
  std::vector<Address> leading_;  // a source's prefix, whose first bits its alias has lost
};

// Puts a local source's alias into the place of its address, on the side of the packet where it stands. Returns whether
// the source is local.
inline bool disguise(const ParsedPacket& packet, Side side, const Aliases& aliases, bool is_partial) {
  const auto alias = aliases.alias_of(side == Side::kSource ? packet.source : packet.destination, packet.is_v6);
  if (alias) rewrite_end(packet, side, *alias, 0, is_partial);
  return alias.has_value();
}

}  // namespace onehop

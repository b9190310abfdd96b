// What sources have taken up of the places for those whom nobody knows: src/table/new-sources.ts.
#pragma once

#include <cstdint>

#include "token_buckets.h"

namespace onehop {

struct NewSourceLimits {
  Rate per_source, per_prefix;  // per second: 0 for none
  struct {
    Address mask;
    uint32_t length;
  } prefix[2];  // by family

  bool is_any() const { return (per_source.per_second | per_prefix.per_second) != 0; }
};

enum class Limit : uint8_t { kNone, kSource, kPrefix };

class NewSources {
 public:
  explicit NewSources(const HashKey& hash_key) : sources_(hash_key), prefixes_(hash_key) {}

  // What forbids a source that nobody knows one more place.
  Limit limit_of(const Address& source, bool is_v6, const NewSourceLimits& limits, uint32_t now) const {
    if (!limits.is_any()) return Limit::kNone;
    const auto& [mask, length] = limits.prefix[is_v6];
    if (limits.per_source.per_second != 0 && !sources_.has_token(source, address_bits(is_v6), limits.per_source, now))
      return Limit::kSource;
    if (limits.per_prefix.per_second != 0 && !prefixes_.has_token(masked(source, mask), length, limits.per_prefix, now))
      return Limit::kPrefix;
    return Limit::kNone;
  }

  // It has taken one.
  void take(const Address& source, bool is_v6, const NewSourceLimits& limits, uint32_t now) {
    if (!limits.is_any()) return;
    const auto& [mask, length] = limits.prefix[is_v6];
    if (limits.per_source.per_second != 0) sources_.take(source, address_bits(is_v6), limits.per_source, now);
    if (limits.per_prefix.per_second != 0) prefixes_.take(masked(source, mask), length, limits.per_prefix, now);
  }

 private:
  TokenBuckets sources_, prefixes_;
};

}  // namespace onehop

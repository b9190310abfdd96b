#include "sources.h"

#include <vector>

namespace onehop {

namespace {

SourceKey key_of(const fast_source_key& key) {
  return {{key.source.high, key.source.low}, key.scope >> 1, (key.scope & 1) != 0};
}

bool is_silent(uint32_t seen, uint32_t now) { return int64_t{now} - int64_t{seen} > FAST_SILENT_SECONDS; }

EntryTally sent_in(uint32_t epoch, const fast_source& source) {
  const fast_epoch_tally& tally = source.tallies[epoch & 1];
  return tally.epoch == epoch ? EntryTally{tally.packets, tally.bytes} : EntryTally{};
}

}  // namespace

Sources::Taken Sources::take(const Offer& offer, const Services& services, uint32_t now_seconds) {
  const uint32_t generation = services.generation_of(offer.service);
  if (generation == 0 || offer.version < generation) return Taken::kNo;
  const uint32_t target = targets_.place_of(offer.service, offer.container, offer.key.is_v6);
  if (target == 0) return Taken::kFull;
  const fast_source_key key{{offer.key.source.high, offer.key.source.low}, offer.key.scope_word(), offer.service};
  fast_source source = sources_.lookup(key).value_or(fast_source{});  // what it has sent stays
  source.generation = generation;
  source.container = offer.container;
  source.target = target;
  source.seen = now_seconds;
  source.port = services.port_of(offer.service, offer.container);
  source.is_pinned = offer.is_pinned;
  return sources_.put(key, source) == 0 ? Taken::kYes : Taken::kFull;
}

bool Sources::sweep(Engine& engine, uint32_t epoch, uint32_t now_seconds) {
  std::vector<fast_source_key> silent;
  const bool is_more = sources_.next(cursor_, [&](const fast_source_key& key, const fast_source& source) {
    engine.heard(key_of(key), sent_in(epoch, source), source.seen);
    if (is_silent(source.seen, now_seconds))
      silent.push_back(key);
    else
      counted_++;
  });
  for (const fast_source_key& key : silent) sources_.erase(key);
  if (is_more) return false;
  count_ = std::exchange(counted_, 0);
  cursor_ = {};
  return true;
}

}  // namespace onehop

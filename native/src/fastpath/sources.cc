#include "sources.h"

#include <algorithm>
#include <vector>

#include "../pipeline/verdict.h"

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

void add(Traffic& sum, const fast_tally& tally) {
  sum.packets += tally.packets;
  sum.bytes += tally.bytes;
}

// Sorted by id, as the engine's.
IdTraffic& of(std::vector<IdTraffic>& list, uint32_t id) {
  const auto at = std::ranges::lower_bound(list, id, {}, &IdTraffic::id);
  return at != list.end() && at->id == id ? *at : *list.insert(at, IdTraffic{id, {}, {}});
}

void add_request(Counters& counters, const fast_traffic_key& key, const fast_tally& tally, Code code) {
  if (tally.packets == 0) return;
  for (Traffic* sum : {&counters.received, &counters.reasons[static_cast<size_t>(code)],
                       &of(counters.services, key.service).in, &of(counters.containers, key.container).in})
    add(*sum, tally);
}

void add_answer(Counters& counters, const fast_traffic_key& key, const fast_tally& tally) {
  if (tally.packets == 0) return;
  for (Traffic* sum : {&counters.received, &counters.reasons[static_cast<size_t>(Code::kReplyEndpoint)],
                       &of(counters.services, key.service).out, &of(counters.containers, key.container).out})
    add(*sum, tally);
}

}  // namespace

Sources::Taken Sources::take(const Offer& offer, const Services& services, uint32_t now_seconds) {
  const uint32_t generation = services.generation_of(offer.service);
  if (generation == 0 || offer.version < generation) return Taken::kNo;
  if (!has_tally(offer.service, offer.container)) return Taken::kFull;
  const fast_source_key key{{offer.key.source.high, offer.key.source.low}, offer.key.scope_word(), offer.service};
  fast_source source = sources_.lookup(key).value_or(fast_source{});  // what it has sent stays
  source.generation = generation;
  source.container = offer.container;
  source.seen = now_seconds;
  source.port = services.port_of(offer.service, offer.container);
  source.is_pinned = offer.is_pinned;
  return sources_.put(key, source) == 0 ? Taken::kYes : Taken::kFull;
}

bool Sources::has_tally(uint32_t service, uint32_t container) {
  const uint64_t both = uint64_t{service} << 32 | container;
  if (tallied_.contains(both)) return true;
  if (const int error = traffic_.make({service, container}); error != 0 && error != EEXIST) return false;
  tallied_.insert(both);
  return true;
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

void Sources::add_to(Counters& counters) const {
  traffic_.for_each([&counters](const fast_traffic_key& key, const fast_traffic& traffic) {
    add_request(counters, key, traffic.pinned, Code::kForwardPinned);
    add_request(counters, key, traffic.known, Code::kForwardKnown);
    add_answer(counters, key, traffic.answers);
  });
}

}  // namespace onehop

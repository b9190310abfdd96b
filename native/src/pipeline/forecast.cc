#include "forecast.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace onehop {

namespace {

uint32_t judgement(Code code, uint32_t container) { return uint32_t{static_cast<uint8_t>(code)} << 24 | container; }

}  // namespace

Forecast::Forecast(Snapshot before, Snapshot after, std::span<const PairWords> pairs, const DistributionTable& table,
                   const TurnCounters& turns)
    : before_(std::move(before), table, turns), after_(std::move(after), table, turns) {
  for (const PairWords& words : pairs) {
    const Front* front = before_.front(words.service_before, words.front_before);
    if (front == nullptr) throw std::invalid_argument("pairs: service 0 in the snapshot in force; expected a service");
    const auto index = static_cast<uint32_t>(pairs_.size());
    pairs_.push_back({front, after_.front(words.service_after, words.front_after)});
    Range& range = ranges_.try_emplace(words.scope_word, Range{index, index}).first->second;
    if (range.end != index) throw std::invalid_argument("pairs: one scope in two places; expected its pairs together");
    range.end = index + 1;
  }
}

std::vector<Judgement> Forecast::decide(std::span<const Row> rows, uint32_t now) {
  std::vector<Judgement> judgements;
  judgements.reserve(rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) decide(rows[i], i, now, judgements);
  return judgements;
}

void Forecast::decide(const Row& row, uint32_t number, uint32_t now, std::vector<Judgement>& judgements) {
  const auto found = ranges_.find(row.scope_word);
  if (found == ranges_.end()) return;
  ParsedPacket packet{};
  packet.source = row.source;
  packet.is_v6 = row.key().is_v6;
  const Front* last = nullptr;
  uint32_t before = 0;
  for (uint32_t i = found->second.begin; i < found->second.end; i++) {
    const Pair& pair = pairs_[i];
    if (pair.before != last) before = before_.decide(*pair.before, packet, now);
    last = pair.before;
    const uint32_t after =
        pair.after == nullptr ? judgement(Code::kAnswerPortClosed, 0) : after_.decide(*pair.after, packet, now);
    judgements.push_back({number, i, before, after});
  }
  before_.settle();
  after_.settle();
}

Forecast::Side::Side(Snapshot lookup, const DistributionTable& table, const TurnCounters& turns)
    : lookup_(std::move(lookup)), table_(table) {
  lookup_->for_each_service([&](const auto& service) {
    turns_.make_room(service->id);
    for (const bool is_v6 : {false, true}) turns_.set(service->id, is_v6, turns.peek(service->id, is_v6));
  });
}

const Front* Forecast::Side::front(uint32_t id, uint32_t position) const {
  if (id == 0) return nullptr;
  const Service* service = lookup_->service(id);
  if (service == nullptr || position >= service->fronts.size())
    throw std::invalid_argument("pairs: front " + std::to_string(position) + " of service " + std::to_string(id) +
                                "; expected one of the snapshot");
  return &service->fronts[position];
}

uint32_t Forecast::Side::decide(const Front& front, const ParsedPacket& packet, uint32_t now) {
  using Place = DistributionTable::Found::Place;
  const SourceKey key = source_key(front, packet.source);
  const auto found = table_.lookup(key, Entries::kNoHint, now, front.idle);
  const Past past{table_.entries(), turns_, true, &more_};
  const Decision decision = onehop::decide(packet, front, *lookup_, key, found, past);
  if (decision.member == nullptr) return judgement(answer_of(decision.code), 0);
  const uint32_t container = decision.member->container;
  if (found.place == Place::kEntry && found.value.container != container && !moved_)
    moved_ = Move{found.value.container, container};
  return judgement(decision.code, container);
}

void Forecast::Side::settle() {
  if (!moved_) return;
  more_[moved_->from]--;
  more_[moved_->to]++;
  moved_.reset();
}

}  // namespace onehop

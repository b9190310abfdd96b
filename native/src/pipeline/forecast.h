// Where the sources of a table would go if another snapshot were in force: src/pipeline/forecast.ts, word for word.
// The control thread's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "../table/row.h"
#include "decide.h"
#include "lookup.h"

namespace onehop {

// As JavaScript gives them.
struct PairWords {
  uint32_t scope_word;
  uint32_t service_before, front_before;
  uint32_t service_after, front_after;  // service 0: none
};
static_assert(sizeof(PairWords) == 20);

struct Judgement {
  uint32_t row, pair;
  uint32_t before, after;  // container's id, and the code above it
};
static_assert(sizeof(Judgement) == 16);

class Forecast {
 public:
  using Snapshot = std::shared_ptr<const SnapshotLookup>;

  // The table and the turns outlive it, and have room for all containers and services of both snapshots. Throws
  // std::invalid_argument for a pair of a front that is not there.
  Forecast(Snapshot before, Snapshot after, std::span<const PairWords> pairs, const DistributionTable& table,
           const TurnCounters& turns);

  std::vector<Judgement> decide(std::span<const Row> rows, uint32_t now);

 private:
  // One of the snapshots, with what has become of turns and counts in it so far.
  class Side {
   public:
    Side(Snapshot lookup, const DistributionTable& table, const TurnCounters& turns);
    // Null for service 0.
    const Front* front(uint32_t service, uint32_t position) const;
    uint32_t decide(const Front& front, const ParsedPacket& packet, uint32_t now);
    // The row is done with: what the first decision that moved its entry means for the counts.
    void settle();

   private:
    Snapshot lookup_;
    const DistributionTable& table_;
    TurnCounters turns_;
    SourcesMore more_;
    struct Move {
      uint32_t from, to;
    };
    std::optional<Move> moved_;
  };

  struct Pair {
    const Front *before, *after;
  };
  struct Range {
    uint32_t begin, end;
  };

  void decide(const Row& row, uint32_t number, uint32_t now, std::vector<Judgement>& judgements);

  Side before_, after_;
  std::vector<Pair> pairs_;
  std::unordered_map<uint32_t, Range> ranges_;  // by scope word
};

}  // namespace onehop

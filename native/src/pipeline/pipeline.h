// One packet, from bytes to result.
#pragma once

#include "../table/flows.h"
#include "../table/fragments.h"
#include "../table/new_sources.h"
#include "../table/table.h"
#include "../table/turns.h"
#include "budget.h"
#include "engine.h"
#include "lookup.h"
#include "refusals.h"
#include "verdict.h"

namespace onehop {

// All that a packet's result depends on besides its bytes.
struct PipelineState {
  const SnapshotLookup& lookup;
  DistributionTable& table;
  FlowTable& flows;
  FragmentTable& fragments;
  SecondBudget& errors;
  TurnCounters& turns;
  NewSources& new_sources;
  PendingTally& tally;
  Beginning& refused;  // of what is answered in its own place; valid where the result is such a refusal
  uint32_t now;         // seconds
};

// A packet as far as its bytes and the snapshot alone can tell.
struct PreparedPacket {
  ParsedPacket parsed;
  bool is_packet;  // when false, `problem` says why not and nothing else is valid
  Code problem;
  bool is_public;      // goes to a public address
  const Front* front;  // is_public: the way in, null when no service is there
  EndpointWays ways;   // else: the ways in that lead to the endpoint it comes from
  bool is_to_alias;    // else: goes to an alias; `parsed.destination` is the source behind it, or there are no ways
  // The source by the front or the first of the ways, and where the table may have its entry. Without either: kNoHint.
  SourceKey key;
  uint64_t hint;
};

// First of three steps: parse and look up what a snapshot holds, and bring what the table knows of the source on
// its way from memory. Changes nothing, so that the packets of a batch are prepared before the first is
// processed: waiting for memory takes longer than all the rest.
void prepare_packet(Packet& packet, const PipelineState& state, PreparedPacket& prepared);

// Second step, as well for all of a batch: go on to where the source's entry is.
inline void locate_source(const PipelineState& state, PreparedPacket& prepared) {
  if (prepared.hint != Entries::kNoHint) prepared.hint = state.table.entries().locate(prepared.key, prepared.hint);
}

// The service that a packet is for, or an answer of; 0: none's, or one of several.
inline uint32_t service_of(const PreparedPacket& prepared) {
  if (!prepared.is_packet) return 0;
  if (!prepared.is_public) return prepared.ways.size() == 1 ? first_of(prepared.ways).front->service_id : 0;
  return prepared.front == nullptr ? 0 : prepared.front->service_id;
}

inline Direction direction_of(const PreparedPacket& prepared) {
  if (!prepared.is_packet) return Direction::kNone;
  return prepared.is_public ? Direction::kRequest : Direction::kAnswer;
}

// Third step: forward what is for a public address, and treat the rest as a possible answer from a container. A
// packet to a public address never passes: the kernel would route it straight back into the TUN.
Result process_packet(Packet& packet, const PreparedPacket& prepared, const PipelineState& state);

}  // namespace onehop

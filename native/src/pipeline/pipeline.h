// One packet, from bytes to result.
#pragma once

#include "../table/flows.h"
#include "../table/table.h"
#include "budget.h"
#include "engine.h"
#include "lookup.h"

namespace onehop {

// All that a packet's result depends on besides its bytes.
struct PipelineState {
  const SnapshotLookup& lookup;
  DistributionTable& table;
  FlowTable& flows;
  ErrorBudget& errors;
  uint32_t now;  // seconds
};

// Parse, then forward what is for a public address, and treat the rest as a possible answer from a container. A
// packet to a public address never passes: the kernel would route it straight back into the TUN.
Result process_packet(Packet& packet, const PipelineState& state);

}  // namespace onehop

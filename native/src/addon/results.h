// What JavaScript gets back, in the shapes that src/dataplane/addon.ts declares.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../fastpath/fast_path.h"
#include "../io/forwarder.h"
#include "../pipeline/engine.h"
#include "../table/row.h"

namespace onehop::addon {

// The form of src/address.ts: lower-case hex, 8 digits for IPv4 and 32 for IPv6.
Napi::String address_text(Napi::Env env, const uint8_t* address, bool is_v6);
// [verdict, reason] by code.
Napi::Array reasons_by_code(Napi::Env env);
// With arrays of pairs in the place of maps.
Napi::Object counters_object(Napi::Env env, const Counters& counters);
Napi::Array refusals_list(Napi::Env env, const std::vector<RefusedReason>& refusals);
// A packet whose checksums went wrong in here, or undefined.
Napi::Value wrong_sum(Napi::Env env, const std::optional<WrongSum>& wrong);
Napi::Object io_counters(Napi::Env env, const IoCounters& counters);
// What the fast path is and does; `problem`: why it is not there although it was asked for.
Napi::Object fast_path_counters(Napi::Env env, const FastPath* fast_path, const std::string& problem);

// Room for rows that JavaScript will own.
class RowsOut {
 public:
  RowsOut(Napi::Env env, uint32_t most) : buffer_(Napi::ArrayBuffer::New(env, most * sizeof(Row))), most_(most) {}

  std::span<Row> room() { return {static_cast<Row*>(buffer_.Data()), most_}; }
  Napi::Uint32Array take(uint32_t count) {
    return Napi::Uint32Array::New(buffer_.Env(), count * sizeof(Row) / sizeof(uint32_t), buffer_, 0);
  }

 private:
  Napi::ArrayBuffer buffer_;
  uint32_t most_;
};

}  // namespace onehop::addon

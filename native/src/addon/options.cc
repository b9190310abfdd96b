#include "options.h"

#include <algorithm>
#include <chrono>

#include "../pipeline/verdict.h"

namespace onehop::addon {

namespace {

// What the programs remember of sources: some 100 bytes each, taken when there is one.
constexpr uint32_t kFastSourcesAtMost = 1 << 22;

Address read_address(const Napi::Value& value, const char* name) {
  const Napi::Uint8Array given = bytes(value, name);
  if (given.ByteLength() != sizeof(Address))
    throw Napi::RangeError::New(value.Env(), std::string(name) + ": expected 16 bytes");
  return address_from(given.Data(), true);
}

uint64_t read_codes(const Napi::Value& value) {
  const Napi::Uint8Array codes = bytes(value, "codes");
  uint64_t mask = 0;
  for (size_t i = 0; i < codes.ByteLength(); i++) {
    if (codes[i] >= kReasonCount) throw Napi::RangeError::New(value.Env(), "codes: expected positions in reasons");
    mask |= uint64_t{1} << codes[i];
  }
  return mask;
}

}  // namespace

TableSizes read_sizes(const Napi::Value& value) {
  const Napi::Object sizes = object(value, "sizes");
  return {number<uint32_t>(sizes.Get("capacity"), "capacity"),
          number<uint32_t>(sizes.Get("probation"), "probation"), number<uint32_t>(sizes.Get("flows"), "flows"),
          number<uint32_t>(sizes.Get("fragments"), "fragments")};
}

ForwarderOptions read_forwarder_options(const Napi::Value& value) {
  const Napi::Object options = object(value, "options");
  if (number<uint8_t>(options.Get("queues"), "queues") == 0)
    throw Napi::RangeError::New(value.Env(), "queues: expected at least 1");
  return {text(options.Get("tun"), "tun"), texts(options.Get("bridges"), "bridges"),
          number<uint8_t>(options.Get("queues"), "queues"),
          std::chrono::microseconds(number<uint32_t>(options.Get("spinUs"), "spinUs")),
          number<uint32_t>(options.Get("selfCheck"), "selfCheck")};
}

FastPathMode read_fast_path_mode(const Napi::Value& value) {
  const std::string mode = text(value, "fastpath");
  if (mode == "off") return FastPathMode::kOff;
  if (mode == "auto") return FastPathMode::kAuto;
  if (mode == "require") return FastPathMode::kRequire;
  throw Napi::RangeError::New(value.Env(), "fastpath: expected off, auto or require");
}

FastPathOptions read_fast_path_options(const Napi::Value& value, uint32_t capacity) {
  const Napi::Object options = object(value, "options");
  const Napi::Value handover = options.Get("handover"), known = options.Get("known");
  const std::span<const Row> rows = known.IsUndefined() ? std::span<const Row>{} : rows_in(known);
  return {.tun = text(options.Get("tun"), "tun"),
          .uplinks = texts(options.Get("uplinks"), "uplinks"),
          .bridges = texts(options.Get("bridges"), "bridges"),
          .sources = std::min(capacity, kFastSourcesAtMost),
          .packet_threads = number<uint8_t>(options.Get("queues"), "queues"),
          .linger = std::chrono::seconds(number<uint32_t>(options.Get("lingerSeconds"), "lingerSeconds")),
          .handover = handover.IsUndefined() ? "" : text(handover, "handover"),
          .known = {rows.begin(), rows.end()},
          .self_check = number<uint32_t>(options.Get("selfCheck"), "selfCheck")};
}

Offload read_offload(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const Napi::Object offload = object(value, "offload");
  return {boolean(offload.Get("needsChecksum"), "offload.needsChecksum"),
          number<uint8_t>(offload.Get("gsoType"), "offload.gsoType"),
          number<uint16_t>(offload.Get("gsoSize"), "offload.gsoSize"),
          number<uint16_t>(offload.Get("checksumStart"), "offload.checksumStart"),
          number<uint16_t>(offload.Get("checksumOffset"), "offload.checksumOffset")};
}

WatchOptions read_watch_options(const Napi::Value& value) {
  const Napi::Object options = object(value, "options");
  const auto prefix = number<uint8_t>(options.Get("prefix"), "prefix");
  if (prefix > 128) throw Napi::RangeError::New(value.Env(), "prefix: expected at most 128");
  const Address mask = mask_of(prefix, true);
  return {.filter = {.service = number<uint32_t>(options.Get("service"), "service"),
                     .container = number<uint32_t>(options.Get("container"), "container"),
                     .codes = read_codes(options.Get("codes")),
                     .source = masked(read_address(options.Get("source"), "source"), mask),
                     .mask = mask},
          .snap = std::max(number<uint32_t>(options.Get("snap"), "snap"), Watch::kSnapAtLeast),
          .per_second = number<uint16_t>(options.Get("perSecond"), "perSecond")};
}

}  // namespace onehop::addon

// The only file that knows Node-API. TypeScript checks what people give and applies defaults (src/dataplane/
// native.ts); here every argument's type and range is checked once more, so that whatever a caller passes is a
// JavaScript exception and never a crash.
#include <napi.h>
#include <uv.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "fastpath/fast_path.h"
#include "io/confinement.h"
#include "io/echo_socket.h"
#include "io/failure.h"
#include "io/forwarder.h"
#include "io/pages.h"
#include "pipeline/engine.h"
#include "pipeline/verdict.h"
#include "watch/watch.h"

namespace {

using onehop::Engine;

// The codes are src/errors.ts's.
Napi::Error io_error(Napi::Env env, const onehop::IoFailure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  const bool is_network = failure.cause == onehop::IoFailure::Cause::kNetwork;
  error.Set("code", Napi::String::New(env, is_network ? "E_NETWORK" : "E_SYSTEM"));
  return error;
}

// What C++ throws becomes a JavaScript Error; Napi::Error passes through as it is.
template <typename Act>
auto guarded(const Napi::CallbackInfo& info, Act act) -> decltype(act()) {
  try {
    return act();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(info.Env(), "out of memory");
  } catch (const onehop::IoFailure& failure) {
    throw io_error(info.Env(), failure);
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

// A whole number that fits the field it is for.
template <typename Number>
Number number(const Napi::Value& value, const char* name) {
  constexpr double kMost = std::numeric_limits<Number>::max();
  const double given = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(given >= 0 && given <= kMost) || given != std::floor(given))
    throw Napi::RangeError::New(value.Env(), std::string(name) + ": expected a whole number from 0 to " +
                                                 std::to_string(static_cast<uint64_t>(kMost)));
  return static_cast<Number>(given);
}

Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected an object");
  return value.As<Napi::Object>();
}

Napi::Uint8Array bytes(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected a Uint8Array");
  return value.As<Napi::Uint8Array>();
}

std::string text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected a string");
  return value.As<Napi::String>();
}

std::vector<std::string> texts(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected an array");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> list;
  for (uint32_t i = 0; i < array.Length(); i++) list.push_back(text(array.Get(i), name));
  return list;
}

onehop::ForwarderOptions read_forwarder_options(const Napi::Value& value) {
  const Napi::Object options = object(value, "options");
  if (number<uint8_t>(options.Get("queues"), "queues") == 0)
    throw Napi::RangeError::New(value.Env(), "queues: expected at least 1");
  return {text(options.Get("tun"), "tun"), texts(options.Get("bridges"), "bridges"),
          number<uint8_t>(options.Get("queues"), "queues"),
          std::chrono::microseconds(number<uint32_t>(options.Get("spinUs"), "spinUs"))};
}

enum class FastPathMode { kOff, kAuto, kRequire };

FastPathMode read_fast_path_mode(const Napi::Value& value) {
  const std::string mode = text(value, "fastpath");
  if (mode == "off") return FastPathMode::kOff;
  if (mode == "auto") return FastPathMode::kAuto;
  if (mode == "require") return FastPathMode::kRequire;
  throw Napi::RangeError::New(value.Env(), "fastpath: expected off, auto or require");
}

// A killed daemon's clients are served on for so long: time for it to be started anew.
constexpr std::chrono::seconds kGrace{10};
// What the programs remember of sources: some 100 bytes each, taken when there is one.
constexpr uint32_t kFastSourcesAtMost = 1 << 22;

onehop::FastPathOptions read_fast_path_options(const Napi::Value& value, uint32_t capacity) {
  const Napi::Object options = object(value, "options");
  return {.tun = text(options.Get("tun"), "tun"),
          .uplinks = texts(options.Get("uplinks"), "uplinks"),
          .bridges = texts(options.Get("bridges"), "bridges"),
          .sources = std::min(capacity, kFastSourcesAtMost),
          .packet_threads = number<uint8_t>(options.Get("queues"), "queues"),
          .grace = kGrace};
}

onehop::TableSizes read_sizes(const Napi::Value& value) {
  const Napi::Object sizes = object(value, "sizes");
  return {number<uint32_t>(sizes.Get("capacity"), "capacity"),
          number<uint32_t>(sizes.Get("probation"), "probation"), number<uint32_t>(sizes.Get("flows"), "flows"),
          number<uint32_t>(sizes.Get("fragments"), "fragments")};
}

onehop::Offload read_offload(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const Napi::Object offload = object(value, "offload");
  const Napi::Value needs_checksum = offload.Get("needsChecksum");
  if (!needs_checksum.IsBoolean())
    throw Napi::TypeError::New(value.Env(), "offload.needsChecksum: expected a boolean");
  return {needs_checksum.As<Napi::Boolean>().Value(), number<uint8_t>(offload.Get("gsoType"), "offload.gsoType"),
          number<uint16_t>(offload.Get("gsoSize"), "offload.gsoSize"),
          number<uint16_t>(offload.Get("checksumStart"), "offload.checksumStart"),
          number<uint16_t>(offload.Get("checksumOffset"), "offload.checksumOffset")};
}

// The form of src/address.ts: lower-case hex, 8 digits for IPv4 and 32 for IPv6.
Napi::String address_text(Napi::Env env, const uint8_t* address, bool is_v6) {
  constexpr char kDigits[] = "0123456789abcdef";
  char text[32];
  const uint32_t length = onehop::address_length(is_v6);
  for (uint32_t i = 0; i < length; i++) {
    text[2 * i] = kDigits[address[i] >> 4];
    text[2 * i + 1] = kDigits[address[i] & 0xf];
  }
  return Napi::String::New(env, text, 2 * length);
}

Napi::Object traffic(Napi::Env env, const onehop::Traffic& traffic) {
  Napi::Object object = Napi::Object::New(env);
  object["packets"] = static_cast<double>(traffic.packets);
  object["bytes"] = static_cast<double>(traffic.bytes);
  return object;
}

// [id, {in, out}], as a Map's constructor wants it.
Napi::Array traffic_by_id(Napi::Env env, const std::vector<onehop::IdTraffic>& list) {
  Napi::Array pairs = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) {
    Napi::Object both = Napi::Object::New(env);
    both["in"] = traffic(env, list[i].in);
    both["out"] = traffic(env, list[i].out);
    Napi::Array pair = Napi::Array::New(env, 2);
    pair[0u] = list[i].id;
    pair[1u] = both;
    pairs[i] = pair;
  }
  return pairs;
}

Napi::Array counts_by_id(Napi::Env env, const std::vector<std::pair<uint32_t, uint32_t>>& list) {
  Napi::Array pairs = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair[0u] = list[i].first;
    pair[1u] = list[i].second;
    pairs[i] = pair;
  }
  return pairs;
}

Napi::Object io_counters(Napi::Env env, const onehop::IoCounters& counters) {
  Napi::Object object = Napi::Object::New(env);
  object["tunReadErrors"] = static_cast<double>(counters.tun_read_errors);
  object["tunWriteErrors"] = static_cast<double>(counters.tun_write_errors);
  object["bridgeWrites"] = static_cast<double>(counters.bridge_writes);
  object["bridgeWriteErrors"] = static_cast<double>(counters.bridge_write_errors);
  object["tunWrites"] = static_cast<double>(counters.tun_writes);
  object["neighboursResolved"] = counters.neighbours_resolved;
  object["neighboursWanted"] = counters.neighbours_wanted;
  object["queues"] = counters.queues;
  Napi::Array offload = Napi::Array::New(env, counters.offload.size());
  for (uint32_t i = 0; i < counters.offload.size(); i++) offload[i] = counters.offload[i];
  object["offload"] = offload;
  return object;
}

// What the fast path is and does; `problem`: why it is not there although it was asked for.
Napi::Object fast_path_counters(Napi::Env env, const onehop::FastPath* fast_path, const std::string& problem) {
  const onehop::FastPathCounters counters = fast_path ? fast_path->counters() : onehop::FastPathCounters{};
  Napi::Object object = Napi::Object::New(env);
  object["state"] = fast_path ? "on" : problem.empty() ? "off" : "unavailable";
  if (!problem.empty()) object["problem"] = problem;
  object["uplinks"] = counters.uplinks;
  object["ports"] = counters.ports;
  object["sources"] = static_cast<double>(counters.sources);
  object["full"] = static_cast<double>(counters.full);
  return object;
}

// Rows as they lie in memory; src/table/rows.ts knows where.
std::span<const onehop::Row> rows_in(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    throw Napi::TypeError::New(value.Env(), "rows: expected a Uint32Array");
  const auto words = value.As<Napi::Uint32Array>();
  const auto* bytes = reinterpret_cast<const uint8_t*>(words.Data());
  if (words.ByteLength() % sizeof(onehop::Row) != 0 || reinterpret_cast<uintptr_t>(bytes) % alignof(onehop::Row) != 0)
    throw Napi::TypeError::New(value.Env(), "rows: expected whole rows, aligned to 8 bytes");
  return {reinterpret_cast<const onehop::Row*>(bytes), words.ByteLength() / sizeof(onehop::Row)};
}

onehop::Address read_address(const Napi::Value& value, const char* name) {
  const Napi::Uint8Array given = bytes(value, name);
  if (given.ByteLength() != sizeof(onehop::Address))
    throw Napi::RangeError::New(value.Env(), std::string(name) + ": expected 16 bytes");
  return onehop::address_from(given.Data(), true);
}

uint64_t read_codes(const Napi::Value& value) {
  const Napi::Uint8Array codes = bytes(value, "codes");
  uint64_t mask = 0;
  for (size_t i = 0; i < codes.ByteLength(); i++) {
    if (codes[i] >= onehop::kReasonCount) throw Napi::RangeError::New(value.Env(), "codes: expected positions in reasons");
    mask |= uint64_t{1} << codes[i];
  }
  return mask;
}

onehop::WatchOptions read_watch_options(const Napi::Value& value) {
  const Napi::Object options = object(value, "options");
  const auto prefix = number<uint8_t>(options.Get("prefix"), "prefix");
  if (prefix > 128) throw Napi::RangeError::New(value.Env(), "prefix: expected at most 128");
  const onehop::Address mask = onehop::mask_of(prefix, true);
  return {.filter = {.service = number<uint32_t>(options.Get("service"), "service"),
                     .container = number<uint32_t>(options.Get("container"), "container"),
                     .codes = read_codes(options.Get("codes")),
                     .source = onehop::masked(read_address(options.Get("source"), "source"), mask),
                     .mask = mask},
          .snap = std::max(number<uint32_t>(options.Get("snap"), "snap"), onehop::Watch::kSnapAtLeast),
          .per_second = number<uint16_t>(options.Get("perSecond"), "perSecond")};
}

// Room for rows that JavaScript will own.
class RowsOut {
 public:
  RowsOut(Napi::Env env, uint32_t most) : buffer_(Napi::ArrayBuffer::New(env, most * sizeof(onehop::Row))), most_(most) {}

  std::span<onehop::Row> room() { return {static_cast<onehop::Row*>(buffer_.Data()), most_}; }
  Napi::Uint32Array take(uint32_t count) {
    return Napi::Uint32Array::New(buffer_.Env(), count * sizeof(onehop::Row) / sizeof(uint32_t), buffer_, 0);
  }

 private:
  Napi::ArrayBuffer buffer_;
  uint32_t most_;
};

// An engine on the JavaScript thread, which is its control thread and, for `process`, one of its workers; and,
// between start and stop, the forwarder whose packet threads are its other workers.
class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {
                           InstanceMethod<&EngineObject::publish>("publish"),
                           InstanceMethod<&EngineObject::process>("process"),
                           InstanceMethod<&EngineObject::expire>("expire"),
                           InstanceMethod<&EngineObject::rows>("rows"),
                           InstanceMethod<&EngineObject::find>("find"),
                           InstanceMethod<&EngineObject::find_on_probation>("findOnProbation"),
                           InstanceMethod<&EngineObject::sources_on>("sourcesOn"),
                           InstanceMethod<&EngineObject::turn>("turn"),
                           InstanceMethod<&EngineObject::changes>("changes"),
                           InstanceMethod<&EngineObject::put>("put"),
                           InstanceMethod<&EngineObject::forget>("forget"),
                           InstanceMethod<&EngineObject::counters>("counters"),
                           InstanceMethod<&EngineObject::start>("start"),
                           InstanceMethod<&EngineObject::use_bridges>("useBridges"),
                           InstanceMethod<&EngineObject::use_uplinks>("useUplinks"),
                           InstanceMethod<&EngineObject::stop>("stop"),
                           InstanceMethod<&EngineObject::io>("io"),
                           InstanceMethod<&EngineObject::watch>("watch"),
                           InstanceMethod<&EngineObject::take>("take"),
                           InstanceMethod<&EngineObject::unwatch>("unwatch"),
                       });
  }

  // new Engine({capacity, probation, flows, fragments})
  explicit EngineObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        engine_(guarded(info, [&] { return Engine::create(read_sizes(info[0]), onehop::advise_huge_pages); })),
        capacity_(read_sizes(info[0]).capacity) {}

  ~EngineObject() override { stop_forwarder(); }

 private:
  // publish(encoded: Uint8Array)
  void publish(const Napi::CallbackInfo& info) {
    const Napi::Uint8Array encoded = bytes(info[0], "encoded");
    guarded(info, [&] {
      engine_->publish({encoded.Data(), encoded.ByteLength()});
      if (worker_ == nullptr) worker_ = engine_->attach();
      if (fast_path_) fast_path_->publish();
      if (forwarder_) forwarder_->update();
    });
  }

  // process(packet: Uint8Array, nowSeconds: number, offload?) → Outcome. Works on a copy, since an answer may be
  // longer than what it answers; what fits is written back and `output` is a part of `packet` then.
  Napi::Value process(const Napi::CallbackInfo& info) {
    Napi::Uint8Array given = bytes(info[0], "packet");
    const auto now = number<uint32_t>(info[1], "nowSeconds");
    const onehop::Offload offload = read_offload(info[2]);
    if (worker_ == nullptr) throw Napi::Error::New(info.Env(), "process before publish");
    return guarded(info, [&] {
      const size_t length = given.ByteLength();
      if (length > kPacketAtMost) throw std::length_error("packet: more than 16 MiB");
      if (length > buffer_.size()) buffer_.resize(length);
      std::copy_n(given.Data(), length, buffer_.data());
      onehop::Packet packet{buffer_.data(), static_cast<uint32_t>(length), static_cast<uint32_t>(buffer_.size()),
                            offload};
      worker_->begin(now);
      const onehop::Result result = worker_->process(packet);
      worker_->end();
      return outcome(info.Env(), result, given);
    });
  }

  Napi::Value outcome(Napi::Env env, const onehop::Result& result, Napi::Uint8Array& given) {
    Napi::Object outcome = Napi::Object::New(env);
    outcome["code"] = uint32_t{result.code};
    outcome["service"] = result.service;
    outcome["container"] = result.container;
    outcome["output"] = result.way == onehop::Way::kNone ? env.Undefined() : output(env, result.length, given);
    outcome["source"] =
        result.has_source
            ? Napi::Value(address_text(env, onehop::bytes_of(result.source, result.is_v6), result.is_v6))
            : env.Undefined();
    return outcome;
  }

  Napi::Value output(Napi::Env env, uint32_t length, Napi::Uint8Array& given) {
    const bool fits = length <= given.ByteLength() && given.ArrayBuffer().IsArrayBuffer();
    Napi::Uint8Array output = fits ? Napi::Uint8Array::New(env, length, given.ArrayBuffer(), given.ByteOffset())
                                   : Napi::Uint8Array::New(env, length);
    std::copy_n(buffer_.data(), length, output.Data());
    return output;
  }

  // expire(nowSeconds: number) → number
  Napi::Value expire(const Napi::CallbackInfo& info) {
    const auto now = number<uint32_t>(info[0], "nowSeconds");
    return guarded(info, [&] { return Napi::Number::New(info.Env(), static_cast<double>(engine_->expire(now))); });
  }

  // rows(cursor: number, most: number) → {next: number, rows: Uint32Array}; next is 0 at the end
  Napi::Value rows(const Napi::CallbackInfo& info) {
    const auto cursor = position(info[0], "cursor");
    const auto most = rows_at_most(info[1]);
    return guarded(info, [&] {
      RowsOut out(info.Env(), most);
      const onehop::Entries::Listed listed = engine_->rows(cursor, out.room());
      return batch(info.Env(), listed.next, out.take(listed.count));
    });
  }

  // find(rows: Uint32Array) → Uint32Array: the entries of their keys
  Napi::Value find(const Napi::CallbackInfo& info) {
    return found(info, [&](auto rows, auto out) { return engine_->find(rows, out); });
  }

  // findOnProbation(rows: Uint32Array) → Uint32Array: what is on probation of their keys
  Napi::Value find_on_probation(const Napi::CallbackInfo& info) {
    return found(info, [&](auto rows, auto out) { return engine_->find_on_probation(rows, out); });
  }

  template <typename Find>
  Napi::Value found(const Napi::CallbackInfo& info, Find find) {
    const std::span<const onehop::Row> rows = rows_in(info[0]);
    if (rows.size() > kRowsAtMost)
      throw Napi::RangeError::New(info.Env(), "rows: expected at most " + std::to_string(kRowsAtMost));
    return guarded(info, [&] {
      RowsOut out(info.Env(), static_cast<uint32_t>(rows.size()));
      return out.take(find(rows, out.room()));
    });
  }

  // sourcesOn(container: number) → number
  Napi::Value sources_on(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), engine_->sources_on(number<uint32_t>(info[0], "container")));
  }

  // turn(service: number, isV6: boolean) → number
  Napi::Value turn(const Napi::CallbackInfo& info) {
    const auto service = number<uint32_t>(info[0], "service");
    if (!info[1].IsBoolean()) throw Napi::TypeError::New(info.Env(), "isV6: expected a boolean");
    return Napi::Number::New(info.Env(), engine_->turn(service, info[1].As<Napi::Boolean>().Value()));
  }

  // changes(position: number, most: number) → {next: number, rows: Uint32Array, isLost: boolean}
  Napi::Value changes(const Napi::CallbackInfo& info) {
    const auto from = position(info[0], "position");
    const auto most = rows_at_most(info[1]);
    return guarded(info, [&] {
      RowsOut out(info.Env(), most);
      const onehop::ChangeLog::Batch read = engine_->changes(from, out.room());
      Napi::Object object = batch(info.Env(), read.next, out.take(read.count));
      object["isLost"] = read.is_lost;
      return object;
    });
  }

  static Napi::Object batch(Napi::Env env, uint64_t next, Napi::Uint32Array rows) {
    Napi::Object object = Napi::Object::New(env);
    object["next"] = static_cast<double>(next);
    object["rows"] = rows;
    return object;
  }

  // put(rows: Uint32Array, isWhole: boolean) → number: how many found no room
  Napi::Value put(const Napi::CallbackInfo& info) {
    const std::span<const onehop::Row> rows = rows_in(info[0]);
    if (!info[1].IsBoolean()) throw Napi::TypeError::New(info.Env(), "isWhole: expected a boolean");
    const bool is_whole = info[1].As<Napi::Boolean>().Value();
    return guarded(info, [&] {
      const uint64_t refused = engine_->put(rows, is_whole);
      invalidate(rows);
      return Napi::Number::New(info.Env(), static_cast<double>(refused));
    });
  }

  // forget(rows: Uint32Array) → number: how many there were
  Napi::Value forget(const Napi::CallbackInfo& info) {
    const std::span<const onehop::Row> rows = rows_in(info[0]);
    return guarded(info, [&] {
      const uint64_t forgotten = engine_->forget(rows);
      invalidate(rows);
      return Napi::Number::New(info.Env(), static_cast<double>(forgotten));
    });
  }

  void invalidate(std::span<const onehop::Row> rows) {
    if (!fast_path_) return;
    std::unordered_set<uint32_t> scopes;
    for (const onehop::Row& row : rows) scopes.insert(row.key().scope);
    fast_path_->invalidate(scopes);
  }

  // Below 2^53: JavaScript's numbers hold it.
  static uint64_t position(const Napi::Value& value, const char* name) {
    const double given = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(given >= 0 && given < 9007199254740992.0) || given != std::floor(given))
      throw Napi::RangeError::New(value.Env(), std::string(name) + ": expected a whole number from 0 on");
    return static_cast<uint64_t>(given);
  }

  static uint32_t rows_at_most(const Napi::Value& value) {
    const auto most = number<uint32_t>(value, "most");
    if (most < 1 || most > kRowsAtMost)
      throw Napi::RangeError::New(value.Env(), "most: expected 1 to " + std::to_string(kRowsAtMost));
    return most;
  }

  // counters() → Counters, with arrays of pairs in the place of maps
  Napi::Value counters(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(info, [&] {
      onehop::Counters counters = engine_->counters();
      if (fast_path_) fast_path_->add_to(counters);
      Napi::Array reasons = Napi::Array::New(env, counters.reasons.size());
      for (uint32_t code = 0; code < counters.reasons.size(); code++)
        reasons[code] = traffic(env, counters.reasons[code]);
      Napi::Object table = Napi::Object::New(env);
      table["entries"] = static_cast<double>(counters.entries);
      table["capacity"] = static_cast<double>(counters.capacity);
      table["probation"] = static_cast<double>(counters.probation);
      table["moved"] = static_cast<double>(counters.moved);
      table["full"] = static_cast<double>(counters.full);
      table["overQuota"] = static_cast<double>(counters.over_quota);
      table["expired"] = static_cast<double>(counters.expired);
      Napi::Object object = Napi::Object::New(env);
      object["received"] = traffic(env, counters.received);
      object["reasons"] = reasons;
      object["services"] = traffic_by_id(env, counters.services);
      object["containers"] = traffic_by_id(env, counters.containers);
      object["table"] = table;
      object["scopes"] = counts_by_id(env, counters.scopes);
      return object;
    });
  }

  // start({tun, bridges, uplinks, queues, spinUs, fastpath}). What fails in the system or the network has a `code`.
  void start(const Napi::CallbackInfo& info) {
    const onehop::ForwarderOptions options = read_forwarder_options(info[0]);
    if (forwarder_) throw Napi::Error::New(info.Env(), "start: it is running");
    const FastPathMode mode = read_fast_path_mode(object(info[0], "options").Get("fastpath"));
    const auto fast_path_options = read_fast_path_options(info[0], capacity_);
    guarded(info, [&] {
      if (mode != FastPathMode::kOff) open_fast_path(fast_path_options, mode);
      try {
        forwarder_ = std::make_unique<onehop::Forwarder>(*engine_, options, fast_path_.get());
      } catch (...) {
        fast_path_.reset();
        throw;
      }
    });
    napi_add_env_cleanup_hook(info.Env(), end_with_environment, this);
  }

  void open_fast_path(const onehop::FastPathOptions& options, FastPathMode mode) {
    fast_path_problem_.clear();
    try {
      fast_path_ = onehop::FastPath::open(*engine_, options);
    } catch (const onehop::IoFailure& failure) {
      if (mode == FastPathMode::kRequire)
        throw onehop::IoFailure(failure.cause, std::string("fast path: ") + failure.what());
      fast_path_problem_ = failure.what();
    }
  }

  // useBridges(names): the bridges from now on, while it runs
  void use_bridges(const Napi::CallbackInfo& info) {
    auto names = texts(info[0], "bridges");
    if (fast_path_) fast_path_->use_bridges(names);
    if (forwarder_) forwarder_->use_bridges(std::move(names));
  }

  // useUplinks(names): likewise the uplinks
  void use_uplinks(const Napi::CallbackInfo& info) {
    auto names = texts(info[0], "uplinks");
    if (fast_path_) fast_path_->use_uplinks(std::move(names));
  }

  // stop(), also when it does not run
  void stop(const Napi::CallbackInfo&) { stop_forwarder(); }

  // io() → IoCounters, all zero when it does not run
  Napi::Value io(const Napi::CallbackInfo& info) {
    Napi::Object io = io_counters(info.Env(), forwarder_ ? forwarder_->counters() : onehop::IoCounters{});
    io["fastpath"] = fast_path_counters(info.Env(), fast_path_.get(), fast_path_problem_);
    return io;
  }

  // watch({service, container, codes: Uint8Array, source: Uint8Array of 16, prefix, snap, perSecond}) → number, by which
  // the watch is called until unwatch or stop
  Napi::Value watch(const Napi::CallbackInfo& info) {
    const onehop::WatchOptions options = read_watch_options(info[0]);
    if (!forwarder_) throw Napi::Error::New(info.Env(), "watch: it does not run");
    if (watches_.size() == onehop::kWatchesAtMost)
      throw Napi::Error::New(info.Env(), "watch: " + std::to_string(onehop::kWatchesAtMost) + " are at work already");
    return guarded(info, [&] {
      watches_.emplace(++watch_number_, forwarder_->watch(options));
      watch_fast_path();
      return Napi::Number::New(info.Env(), watch_number_);
    });
  }

  // take(watch: number, most: number) → {records: Uint8Array, matched, lost}: no more than `most` bytes
  Napi::Value take(const Napi::CallbackInfo& info) {
    onehop::Watch& watch = watch_of(info[0]);
    const auto most = number<uint32_t>(info[1], "most");
    return guarded(info, [&] {
      taken_.clear();
      watch.take(taken_, most);
      Napi::Uint8Array records = Napi::Uint8Array::New(info.Env(), taken_.size());
      std::copy(taken_.begin(), taken_.end(), records.Data());
      Napi::Object object = Napi::Object::New(info.Env());
      object["records"] = records;
      object["matched"] = static_cast<double>(watch.matched());
      object["lost"] = static_cast<double>(watch.lost());
      return object;
    });
  }

  // unwatch(watch: number), once more too, and after stop()
  void unwatch(const Napi::CallbackInfo& info) {
    const auto found = watches_.find(number<uint32_t>(info[0], "watch"));
    if (found == watches_.end()) return;
    guarded(info, [&] {
      forwarder_->unwatch(*found->second);
      watches_.erase(found);
      watch_fast_path();
    });
  }

  onehop::Watch& watch_of(const Napi::Value& value) {
    const auto found = watches_.find(number<uint32_t>(value, "watch"));
    if (found == watches_.end()) throw Napi::RangeError::New(value.Env(), "watch: there is none of this number");
    return *found->second;
  }

  void watch_fast_path() {
    if (!fast_path_) return;
    std::vector<onehop::WatchFilter> filters;
    for (const auto& [number, watch] : watches_) filters.push_back(watch->filter());
    fast_path_->watch(filters);
  }

  void stop_forwarder() {
    if (!forwarder_) return;
    watches_.clear();
    forwarder_.reset();
    fast_path_.reset();
    napi_remove_env_cleanup_hook(Env(), end_with_environment, this);
  }

  // A worker thread of Node's may end, by terminate() for one, long before the process: its packet threads must
  // not go on with an engine that is about to be freed. A process that exits takes its threads with it.
  static void end_with_environment(void* engine_object) {
    static_cast<EngineObject*>(engine_object)->watches_.clear();
    static_cast<EngineObject*>(engine_object)->forwarder_.reset();
    static_cast<EngineObject*>(engine_object)->fast_path_.reset();
  }

  static constexpr size_t kPacketAtMost = 1 << 24;
  static constexpr uint32_t kRowsAtMost = 1 << 20;

  std::unique_ptr<Engine> engine_;
  const uint32_t capacity_;
  // After the engine, so that they go first.
  std::unique_ptr<onehop::Worker> worker_;
  std::unique_ptr<onehop::FastPath> fast_path_;
  std::unique_ptr<onehop::Forwarder> forwarder_;
  std::string fast_path_problem_;
  std::map<uint32_t, std::shared_ptr<onehop::Watch>> watches_;
  uint32_t watch_number_ = 0;
  std::vector<uint8_t> taken_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(2048);
};

// An echo socket on the event loop, which it does not keep alive.
class EchoSocketObject : public Napi::ObjectWrap<EchoSocketObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "EchoSocket",
                       {
                           InstanceMethod<&EchoSocketObject::send>("send"),
                           InstanceMethod<&EchoSocketObject::close>("close"),
                       });
  }

  // new EchoSocket(isV6: boolean, onReply: (nonce: Uint8Array) => void). Stays until close(), referenced or not.
  explicit EchoSocketObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info), is_v6_(info[0].ToBoolean()), socket_(guarded(info, [&] { return onehop::EchoSocket::open(is_v6_); })) {
    if (!info[1].IsFunction()) throw Napi::TypeError::New(info.Env(), "onReply: expected a function");
    on_reply_ = Napi::Persistent(info[1].As<Napi::Function>());
    uv_loop_t* loop = nullptr;
    if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok || uv_poll_init(loop, &poll_, socket_.number()) != 0)
      throw Napi::Error::New(info.Env(), "uv_poll_init failed");
    poll_.data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(&poll_));
    uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
      static_cast<EchoSocketObject*>(poll->data)->receive();
    });
    Ref();
  }

 private:
  // send(address: Uint8Array of the family's length, nonce: Uint8Array of 8)
  void send(const Napi::CallbackInfo& info) {
    const Napi::Uint8Array address = bytes(info[0], "address");
    const Napi::Uint8Array given = bytes(info[1], "nonce");
    onehop::EchoSocket::Nonce nonce;
    if (address.ByteLength() != onehop::address_length(is_v6_) || given.ByteLength() != nonce.size())
      throw Napi::RangeError::New(info.Env(), "address or nonce: wrong length");
    std::copy_n(given.Data(), nonce.size(), nonce.begin());
    const int error = socket_.send(address.Data(), nonce);
    if (error != 0) guarded(info, [&] { throw onehop::system_failure("sendto", error); });
  }

  // close(), once more too. The loop gives the handle back later; until then the object stays.
  void close(const Napi::CallbackInfo&) {
    auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
    if (uv_is_closing(handle)) return;
    uv_close(handle, [](uv_handle_t* closed) { static_cast<EchoSocketObject*>(closed->data)->Unref(); });
  }

  void receive() {
    const Napi::HandleScope scope(Env());
    for (const auto& nonce : socket_.receive()) {
      Napi::Uint8Array copy = Napi::Uint8Array::New(Env(), nonce.size());
      std::copy(nonce.begin(), nonce.end(), copy.Data());
      try {
        on_reply_.MakeCallback(Value(), {copy});
      } catch (const Napi::Error& error) {
        napi_fatal_exception(Env(), error.Value());
      }
      if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&poll_))) return;
    }
  }

  const bool is_v6_;
  onehop::EchoSocket socket_;
  Napi::FunctionReference on_reply_;
  uv_poll_t poll_{};
};

// [verdict, reason] by code.
Napi::Array reasons(Napi::Env env) {
  Napi::Array list = Napi::Array::New(env, onehop::kReasonCount);
  for (uint32_t code = 0; code < onehop::kReasonCount; code++) {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair[0u] = onehop::kReasons[code].verdict;
    pair[1u] = onehop::kReasons[code].reason;
    list[code] = pair;
  }
  return list;
}

// clearFastPath(tun: string): takes away what a killed daemon left attached
void clear_fast_path(const Napi::CallbackInfo& info) {
  const std::string tun = text(info[0], "tun");
  guarded(info, [&] { onehop::FastPath::clear(tun); });
}

// fastPathProblem() → why the fast path cannot be had here, or undefined
Napi::Value fast_path_problem(const Napi::CallbackInfo& info) {
  const std::string problem = guarded(info, [] { return onehop::FastPath::problem(); });
  return problem.empty() ? info.Env().Undefined() : Napi::String::New(info.Env(), problem);
}

template <typename Item, typename Read>
std::vector<Item> items(const Napi::Value& value, const char* name, Read read) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<Item> items;
  for (uint32_t i = 0; i < array.Length(); i++) items.push_back(read(array.Get(i), name));
  return items;
}

std::vector<int> capabilities(const Napi::Value& value) {
  return items<int>(value, "capabilities", [](const Napi::Value& item, const char* name) {
    const auto capability = number<uint8_t>(item, name);
    if (capability > 63) throw Napi::RangeError::New(item.Env(), "capabilities: expected numbers from 0 to 63");
    return int{capability};
  });
}

// isConfined(capabilities: number[]) → boolean
Napi::Value is_confined(const Napi::CallbackInfo& info) {
  const bool is = guarded(info, [&] { return onehop::is_confined(capabilities(info[0])); });
  return Napi::Boolean::New(info.Env(), is);
}

// confine(capabilities: number[], argv: string[]): does not return, but for throwing
void confine(const Napi::CallbackInfo& info) {
  const auto arguments = items<std::string>(info[1], "argv", text);
  guarded(info, [&] { onehop::confine(capabilities(info[0]), arguments); });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["Engine"] = EngineObject::define(env);
  exports["EchoSocket"] = EchoSocketObject::define(env);
  exports["fastPathProblem"] = Napi::Function::New<fast_path_problem>(env, "fastPathProblem");
  exports["clearFastPath"] = Napi::Function::New<clear_fast_path>(env, "clearFastPath");
  exports["isConfined"] = Napi::Function::New<is_confined>(env, "isConfined");
  exports["confine"] = Napi::Function::New<confine>(env, "confine");
  exports["reasons"] = reasons(env);
  return exports;
}

}  // namespace

NODE_API_MODULE(onehop, init)

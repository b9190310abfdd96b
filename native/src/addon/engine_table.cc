// Engine's calls about the distribution table.
#include <string>
#include <unordered_set>

#include "engine_object.h"
#include "results.h"

namespace onehop::addon {

namespace {

constexpr uint32_t kRowsAtMost = 1 << 20;

uint32_t rows_at_most(const Napi::Value& value) {
  const auto most = number<uint32_t>(value, "most");
  if (most < 1 || most > kRowsAtMost)
    throw Napi::RangeError::New(value.Env(), "most: expected 1 to " + std::to_string(kRowsAtMost));
  return most;
}

Napi::Object batch(Napi::Env env, uint64_t next, Napi::Uint32Array rows) {
  Napi::Object object = Napi::Object::New(env);
  object["next"] = static_cast<double>(next);
  object["rows"] = rows;
  return object;
}

}  // namespace

Napi::Value EngineObject::expire(const Napi::CallbackInfo& info) {
  const auto now = number<uint32_t>(info[0], "nowSeconds");
  return guarded(info, [&] { return Napi::Number::New(info.Env(), static_cast<double>(engine_->expire(now))); });
}

Napi::Value EngineObject::rows(const Napi::CallbackInfo& info) {
  const auto cursor = position(info[0], "cursor");
  const auto most = rows_at_most(info[1]);
  return guarded(info, [&] {
    RowsOut out(info.Env(), most);
    const Entries::Listed listed = engine_->rows(cursor, out.room());
    return batch(info.Env(), listed.next, out.take(listed.count));
  });
}

template <typename Find>
Napi::Value EngineObject::found(const Napi::CallbackInfo& info, Find find) {
  const std::span<const Row> rows = rows_in(info[0]);
  if (rows.size() > kRowsAtMost)
    throw Napi::RangeError::New(info.Env(), "rows: expected at most " + std::to_string(kRowsAtMost));
  return guarded(info, [&] {
    RowsOut out(info.Env(), static_cast<uint32_t>(rows.size()));
    return out.take(find(rows, out.room()));
  });
}

Napi::Value EngineObject::find(const Napi::CallbackInfo& info) {
  return found(info, [&](auto rows, auto out) { return engine_->find(rows, out); });
}

Napi::Value EngineObject::find_on_probation(const Napi::CallbackInfo& info) {
  return found(info, [&](auto rows, auto out) { return engine_->find_on_probation(rows, out); });
}

Napi::Value EngineObject::sources_on(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), engine_->sources_on(number<uint32_t>(info[0], "container")));
}

Napi::Value EngineObject::turn(const Napi::CallbackInfo& info) {
  const auto service = number<uint32_t>(info[0], "service");
  return Napi::Number::New(info.Env(), engine_->turn(service, boolean(info[1], "isV6")));
}

Napi::Value EngineObject::limit_of(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array address = bytes(info[0], "address");
  const bool is_v6 = address.ByteLength() == address_length(true);
  if (!is_v6 && address.ByteLength() != address_length(false))
    throw Napi::RangeError::New(info.Env(), "address: expected 4 or 16 bytes");
  const auto now = number<uint32_t>(info[1], "nowSeconds");
  switch (engine_->limit_of(address_from(address.Data(), is_v6), is_v6, now)) {
    case Limit::kSource:
      return Napi::String::New(info.Env(), "source-limit");
    case Limit::kPrefix:
      return Napi::String::New(info.Env(), "prefix-limit");
    default:
      return info.Env().Undefined();
  }
}

Napi::Value EngineObject::changes(const Napi::CallbackInfo& info) {
  const auto from = position(info[0], "position");
  const auto most = rows_at_most(info[1]);
  return guarded(info, [&] {
    RowsOut out(info.Env(), most);
    const ChangeLog::Batch read = engine_->changes(from, out.room());
    Napi::Object object = batch(info.Env(), read.next, out.take(read.count));
    object["isLost"] = read.is_lost;
    return object;
  });
}

Napi::Value EngineObject::put(const Napi::CallbackInfo& info) {
  const std::span<const Row> rows = rows_in(info[0]);
  const bool is_whole = boolean(info[1], "isWhole");
  return guarded(info, [&] {
    const uint64_t refused = engine_->put(rows, is_whole);
    invalidate(rows);
    return Napi::Number::New(info.Env(), static_cast<double>(refused));
  });
}

Napi::Value EngineObject::forget(const Napi::CallbackInfo& info) {
  const std::span<const Row> rows = rows_in(info[0]);
  return guarded(info, [&] {
    const uint64_t forgotten = engine_->forget(rows);
    invalidate(rows);
    return Napi::Number::New(info.Env(), static_cast<double>(forgotten));
  });
}

void EngineObject::invalidate(std::span<const Row> rows) {
  if (!fast_path_) return;
  std::unordered_set<uint32_t> scopes;
  for (const Row& row : rows) scopes.insert(row.key().scope);
  fast_path_->invalidate(scopes);
}

}  // namespace onehop::addon

// Engine's calls about what another snapshot would do.
#include <string>

#include "engine_object.h"
#include "results.h"

namespace onehop::addon {

namespace {

// Each holds two snapshots.
constexpr size_t kForecastsAtMost = 4;
constexpr size_t kRowsAtMost = 1 << 16;

std::span<const PairWords> pairs_in(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    throw Napi::TypeError::New(value.Env(), "pairs: expected a Uint32Array");
  const auto words = value.As<Napi::Uint32Array>();
  if (words.ByteLength() % sizeof(PairWords) != 0)
    throw Napi::RangeError::New(value.Env(), "pairs: expected whole pairs");
  return {reinterpret_cast<const PairWords*>(words.Data()), words.ByteLength() / sizeof(PairWords)};
}

}  // namespace

Napi::Value EngineObject::forecast(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array encoded = bytes(info[0], "encoded");
  const std::span<const PairWords> pairs = pairs_in(info[1]);
  if (forecasts_.size() == kForecastsAtMost)
    throw Napi::RangeError::New(info.Env(), "forecast: " + std::to_string(kForecastsAtMost) + " are there already");
  return guarded(info, [&] {
    auto made = engine_->forecast({encoded.Data(), encoded.ByteLength()}, pairs);
    forecasts_.emplace(++forecast_number_, std::move(made));
    return Napi::Number::New(info.Env(), forecast_number_);
  });
}

Napi::Value EngineObject::foresee(const Napi::CallbackInfo& info) {
  const auto found = forecasts_.find(number<uint32_t>(info[0], "forecast"));
  if (found == forecasts_.end()) throw Napi::Error::New(info.Env(), "forecast: it has ended");
  const std::span<const Row> rows = rows_in(info[1]);
  const auto now = number<uint32_t>(info[2], "nowSeconds");
  if (rows.size() > kRowsAtMost)
    throw Napi::RangeError::New(info.Env(), "rows: expected at most " + std::to_string(kRowsAtMost));
  return guarded(info, [&] {
    const std::vector<Judgement> judgements = found->second->decide(rows, now);
    auto words = Napi::Uint32Array::New(info.Env(), judgements.size() * sizeof(Judgement) / sizeof(uint32_t));
    std::memcpy(words.Data(), judgements.data(), words.ByteLength());
    return words;
  });
}

void EngineObject::end_forecast(const Napi::CallbackInfo& info) {
  forecasts_.erase(number<uint32_t>(info[0], "forecast"));
}

}  // namespace onehop::addon

#include "arguments.h"

namespace onehop::addon {

Napi::Error io_error(Napi::Env env, const IoFailure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  const bool is_network = failure.cause == IoFailure::Cause::kNetwork;
  error.Set("code", Napi::String::New(env, is_network ? "E_NETWORK" : "E_SYSTEM"));
  return error;
}

bool boolean(const Napi::Value& value, const char* name) {
  if (!value.IsBoolean()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected a boolean");
  return value.As<Napi::Boolean>().Value();
}

uint64_t position(const Napi::Value& value, const char* name) {
  const double given = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(given >= 0 && given < 9007199254740992.0) || given != std::floor(given))
    throw Napi::RangeError::New(value.Env(), std::string(name) + ": expected a whole number from 0 on");
  return static_cast<uint64_t>(given);
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
  return items<std::string>(value, name, text);
}

std::span<const Row> rows_in(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    throw Napi::TypeError::New(value.Env(), "rows: expected a Uint32Array");
  const auto words = value.As<Napi::Uint32Array>();
  const auto* bytes = reinterpret_cast<const uint8_t*>(words.Data());
  if (words.ByteLength() % sizeof(Row) != 0 || reinterpret_cast<uintptr_t>(bytes) % alignof(Row) != 0)
    throw Napi::TypeError::New(value.Env(), "rows: expected whole rows, aligned to 8 bytes");
  return {reinterpret_cast<const Row*>(bytes), words.ByteLength() / sizeof(Row)};
}

}  // namespace onehop::addon

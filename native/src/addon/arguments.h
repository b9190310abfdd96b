// What JavaScript hands over, by type and range. TypeScript has checked what people give and applied defaults
// (src/dataplane/native.ts); here every argument is checked once more, so that whatever a caller passes is a JavaScript
// exception and never a crash.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "../io/failure.h"
#include "../table/row.h"

namespace onehop::addon {

// With the `code` that src/errors.ts knows.
Napi::Error io_error(Napi::Env env, const IoFailure& failure);

// What C++ throws becomes a JavaScript Error; Napi::Error passes through as it is.
template <typename Act>
auto guarded(const Napi::CallbackInfo& info, Act act) -> decltype(act()) {
  try {
    return act();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(info.Env(), "out of memory");
  } catch (const IoFailure& failure) {
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

bool boolean(const Napi::Value& value, const char* name);
// Below 2^53: JavaScript's numbers hold it.
uint64_t position(const Napi::Value& value, const char* name);
Napi::Object object(const Napi::Value& value, const char* name);
Napi::Uint8Array bytes(const Napi::Value& value, const char* name);
std::string text(const Napi::Value& value, const char* name);

template <typename Item, typename Read>
std::vector<Item> items(const Napi::Value& value, const char* name, Read read) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": expected an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<Item> items;
  for (uint32_t i = 0; i < array.Length(); i++) items.push_back(read(array.Get(i), name));
  return items;
}

std::vector<std::string> texts(const Napi::Value& value, const char* name);
// Rows as they lie in memory; src/table/rows.ts knows where.
std::span<const Row> rows_in(const Napi::Value& value);

}  // namespace onehop::addon

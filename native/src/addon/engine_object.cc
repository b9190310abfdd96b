#include "engine_object.h"

#include <algorithm>
#include <stdexcept>

#include "options.h"
#include "results.h"
#include "../io/pages.h"

namespace onehop::addon {

namespace {

constexpr size_t kPacketAtMost = 1 << 24;

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
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
                         InstanceMethod<&EngineObject::limit_of>("limitOf"),
                         InstanceMethod<&EngineObject::changes>("changes"),
                         InstanceMethod<&EngineObject::put>("put"),
                         InstanceMethod<&EngineObject::forget>("forget"),
                         InstanceMethod<&EngineObject::counters>("counters"),
                         InstanceMethod<&EngineObject::refusals>("refusals"),
                         InstanceMethod<&EngineObject::forecast>("forecast"),
                         InstanceMethod<&EngineObject::foresee>("foresee"),
                         InstanceMethod<&EngineObject::end_forecast>("endForecast"),
                         InstanceMethod<&EngineObject::start>("start"),
                         InstanceMethod<&EngineObject::hold>("hold"),
                         InstanceMethod<&EngineObject::use_bridges>("useBridges"),
                         InstanceMethod<&EngineObject::use_uplinks>("useUplinks"),
                         InstanceMethod<&EngineObject::disturbances>("disturbances"),
                         InstanceMethod<&EngineObject::reopen>("reopen"),
                         InstanceMethod<&EngineObject::stop>("stop"),
                         InstanceMethod<&EngineObject::io>("io"),
                         InstanceMethod<&EngineObject::last_wrong>("lastWrong"),
                         InstanceMethod<&EngineObject::watch>("watch"),
                         InstanceMethod<&EngineObject::take>("take"),
                         InstanceMethod<&EngineObject::unwatch>("unwatch"),
                     });
}

EngineObject::EngineObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info),
      engine_(guarded(info, [&] { return Engine::create(read_sizes(info[0]), advise_huge_pages); })),
      capacity_(read_sizes(info[0]).capacity) {}

EngineObject::~EngineObject() { stop_forwarder(); }

void EngineObject::publish(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array encoded = bytes(info[0], "encoded");
  guarded(info, [&] {
    const Replaced replaced = engine_->publish({encoded.Data(), encoded.ByteLength()});
    if (worker_ == nullptr) worker_ = engine_->attach();
    if (fast_path_) fast_path_->publish(replaced);
    if (forwarder_) forwarder_->update();
  });
}

Napi::Value EngineObject::process(const Napi::CallbackInfo& info) {
  Napi::Uint8Array given = bytes(info[0], "packet");
  const auto now = number<uint32_t>(info[1], "nowSeconds");
  const Offload offload = read_offload(info[2]);
  if (worker_ == nullptr) throw Napi::Error::New(info.Env(), "process before publish");
  return guarded(info, [&] {
    const size_t length = given.ByteLength();
    if (length > kPacketAtMost) throw std::length_error("packet: more than 16 MiB");
    if (length > buffer_.size()) buffer_.resize(length);
    std::copy_n(given.Data(), length, buffer_.data());
    Packet packet{buffer_.data(), static_cast<uint32_t>(length), static_cast<uint32_t>(buffer_.size()), offload};
    worker_->begin(now);
    const Result result = worker_->process(packet);
    worker_->end();
    return outcome(info.Env(), result, given);
  });
}

Napi::Value EngineObject::outcome(Napi::Env env, const Result& result, Napi::Uint8Array& given) {
  Napi::Object outcome = Napi::Object::New(env);
  outcome["code"] = uint32_t{result.code};
  outcome["service"] = result.service;
  outcome["container"] = result.container;
  outcome["output"] = result.way == Way::kNone ? env.Undefined() : output(env, result.length, given);
  outcome["source"] = result.has_source
                          ? Napi::Value(address_text(env, bytes_of(result.source, result.is_v6), result.is_v6))
                          : env.Undefined();
  return outcome;
}

Napi::Value EngineObject::output(Napi::Env env, uint32_t length, Napi::Uint8Array& given) {
  const bool fits = length <= given.ByteLength() && given.ArrayBuffer().IsArrayBuffer();
  Napi::Uint8Array output = fits ? Napi::Uint8Array::New(env, length, given.ArrayBuffer(), given.ByteOffset())
                                 : Napi::Uint8Array::New(env, length);
  std::copy_n(buffer_.data(), length, output.Data());
  return output;
}

Napi::Value EngineObject::counters(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    Counters counters = engine_->counters();
    if (fast_path_) fast_path_->add_to(counters);
    return Napi::Value(counters_object(info.Env(), counters));
  });
}

Napi::Value EngineObject::refusals(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return Napi::Value(refusals_list(info.Env(), engine_->refusals())); });
}

}  // namespace onehop::addon

#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arguments.h"
#include "options.h"
#include "../fastpath/fast_path.h"
#include "../io/forwarder.h"
#include "../pipeline/engine.h"
#include "../pipeline/forecast.h"
#include "../watch/watch.h"

namespace onehop::addon {

// An engine on the JavaScript thread, which is its control thread and, for `process`, one of its workers; and,
// between start and stop, the forwarder whose packet threads are its other workers.
class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env);

  // new Engine({capacity, probation, flows, fragments})
  explicit EngineObject(const Napi::CallbackInfo& info);
  ~EngineObject() override;

 private:
  // publish(encoded: Uint8Array)
  void publish(const Napi::CallbackInfo& info);
  // process(packet: Uint8Array, nowSeconds: number, offload?) → Outcome. Works on a copy, since an answer may be
  // longer than what it answers; what fits is written back and `output` is a part of `packet` then.
  Napi::Value process(const Napi::CallbackInfo& info);
  // counters() → Counters
  Napi::Value counters(const Napi::CallbackInfo& info);
  // refusals() → Refusal[]
  Napi::Value refusals(const Napi::CallbackInfo& info);

  // expire(nowSeconds: number) → number
  Napi::Value expire(const Napi::CallbackInfo& info);
  // rows(cursor: number, most: number) → {next: number, rows: Uint32Array}; next is 0 at the end
  Napi::Value rows(const Napi::CallbackInfo& info);
  // find(rows: Uint32Array) → Uint32Array: the entries of their keys
  Napi::Value find(const Napi::CallbackInfo& info);
  // findOnProbation(rows: Uint32Array) → Uint32Array: what is on probation of their keys
  Napi::Value find_on_probation(const Napi::CallbackInfo& info);
  // sourcesOn(container: number) → number
  Napi::Value sources_on(const Napi::CallbackInfo& info);
  // turn(service: number, isV6: boolean) → number
  Napi::Value turn(const Napi::CallbackInfo& info);
  // limitOf(address: Uint8Array of 4 or 16, nowSeconds: number) → "source-limit", "prefix-limit" or undefined
  Napi::Value limit_of(const Napi::CallbackInfo& info);
  // changes(position: number, most: number) → {next: number, rows: Uint32Array, isLost: boolean}
  Napi::Value changes(const Napi::CallbackInfo& info);
  // put(rows: Uint32Array, isWhole: boolean) → number: how many found no room
  Napi::Value put(const Napi::CallbackInfo& info);
  // forget(rows: Uint32Array) → number: how many there were
  Napi::Value forget(const Napi::CallbackInfo& info);

  // forecast(encoded: Uint8Array, pairs: Uint32Array) → number, by which it is called until endForecast
  Napi::Value forecast(const Napi::CallbackInfo& info);
  // foresee(forecast: number, rows: Uint32Array, nowSeconds: number) → Uint32Array
  Napi::Value foresee(const Napi::CallbackInfo& info);
  // endForecast(forecast: number), once more too
  void end_forecast(const Napi::CallbackInfo& info);

  // start({tun, bridges, uplinks, queues, spinUs, fastpath, selfCheck}). What fails in the system or the network has a `code`.
  void start(const Napi::CallbackInfo& info);
  // useBridges(names): the bridges from now on, while it runs
  void use_bridges(const Napi::CallbackInfo& info);
  // disturbances() → number, another one when something was said of the host's network
  Napi::Value disturbances(const Napi::CallbackInfo& info);
  // reopen(): the TUN was deleted, and is there again
  void reopen(const Napi::CallbackInfo& info);
  // hold(tun: string, queues: number): opens queues of the TUN, in which packets wait until start
  void hold(const Napi::CallbackInfo& info);
  // useUplinks(names): likewise the uplinks
  void use_uplinks(const Napi::CallbackInfo& info);
  // stop(isLeft: boolean), also when it does not run; isLeft: the fast path goes on, for the next daemon
  void stop(const Napi::CallbackInfo& info);
  // io() → IoCounters, all zero when it does not run
  Napi::Value io(const Napi::CallbackInfo& info);
  // lastWrong() → WrongSum, or undefined
  Napi::Value last_wrong(const Napi::CallbackInfo& info);
  // watch({service, container, codes: Uint8Array, source: Uint8Array of 16, prefix, snap, perSecond}) → number, by which
  // the watch is called until unwatch or stop
  Napi::Value watch(const Napi::CallbackInfo& info);
  // take(watch: number, most: number) → {records: Uint8Array, matched, lost}: no more than `most` bytes
  Napi::Value take(const Napi::CallbackInfo& info);
  // unwatch(watch: number), once more too, and after stop()
  void unwatch(const Napi::CallbackInfo& info);

  Napi::Value outcome(Napi::Env env, const Result& result, Napi::Uint8Array& given);
  Napi::Value output(Napi::Env env, uint32_t length, Napi::Uint8Array& given);
  template <typename Find>
  Napi::Value found(const Napi::CallbackInfo& info, Find find);
  // What the fast path knows of these rows' scopes ends here.
  void invalidate(std::span<const Row> rows);
  void open_fast_path(const FastPathOptions& options, FastPathMode mode);
  Watch& watch_of(const Napi::Value& value);
  void watch_fast_path();
  void stop_forwarder();
  void end_traffic();
  static void end_with_environment(void* engine_object);

  std::unique_ptr<Engine> engine_;
  const uint32_t capacity_;
  // After the engine, so that they go first.
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<FastPath> fast_path_;
  std::unique_ptr<Forwarder> forwarder_;
  std::vector<TunQueue> held_;
  std::string fast_path_problem_;
  std::map<uint32_t, std::unique_ptr<Forecast>> forecasts_;
  uint32_t forecast_number_ = 0;
  std::map<uint32_t, std::shared_ptr<Watch>> watches_;
  uint32_t watch_number_ = 0;
  std::vector<uint8_t> taken_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(2048);
};

}  // namespace onehop::addon

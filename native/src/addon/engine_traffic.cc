// Engine's calls about the traffic between start and stop: the forwarder, the fast path and who watches them.
#include <algorithm>
#include <string>
#include <utility>

#include "engine_object.h"
#include "options.h"
#include "results.h"

namespace onehop::addon {

void EngineObject::start(const Napi::CallbackInfo& info) {
  const ForwarderOptions options = read_forwarder_options(info[0]);
  if (forwarder_) throw Napi::Error::New(info.Env(), "start: it is running");
  const FastPathMode mode = read_fast_path_mode(object(info[0], "options").Get("fastpath"));
  const auto fast_path_options = read_fast_path_options(info[0], capacity_);
  guarded(info, [&] {
    if (mode != FastPathMode::kOff) open_fast_path(fast_path_options, mode);
    try {
      forwarder_ = std::make_unique<Forwarder>(*engine_, options, fast_path_.get(), std::exchange(held_, {}));
    } catch (...) {
      fast_path_.reset();
      throw;
    }
    if (fast_path_)
      fast_path_->attach();
    else
      FastPath::clear(options.tun);
  });
  napi_add_env_cleanup_hook(info.Env(), end_with_environment, this);
}

void EngineObject::hold(const Napi::CallbackInfo& info) {
  const std::string tun = text(info[0], "tun");
  const auto queues = number<uint8_t>(info[1], "queues");
  guarded(info, [&] {
    for (held_.clear(); held_.size() < queues;) held_.push_back(TunQueue::open(tun));
    // An answer of a source that only the other process knows has to meet that one.
    if (!held_.empty()) held_.front().steer_to_first();
  });
}

void EngineObject::open_fast_path(const FastPathOptions& options, FastPathMode mode) {
  fast_path_problem_.clear();
  try {
    fast_path_ = FastPath::open(*engine_, options);
  } catch (const IoFailure& failure) {
    if (mode == FastPathMode::kRequire)
      throw IoFailure(failure.cause, std::string("fast path: ") + failure.what());
    fast_path_problem_ = failure.what();
  }
}

void EngineObject::use_bridges(const Napi::CallbackInfo& info) {
  auto names = texts(info[0], "bridges");
  if (fast_path_) fast_path_->use_bridges(names);
  if (forwarder_) forwarder_->use_bridges(std::move(names));
}

void EngineObject::use_uplinks(const Napi::CallbackInfo& info) {
  auto names = texts(info[0], "uplinks");
  if (fast_path_) fast_path_->use_uplinks(std::move(names));
}

Napi::Value EngineObject::disturbances(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), forwarder_ ? static_cast<double>(forwarder_->disturbances()) : 0);
}

void EngineObject::reopen(const Napi::CallbackInfo& info) {
  if (!forwarder_) return;
  guarded(info, [&] { forwarder_->reopen(); });
}

void EngineObject::stop(const Napi::CallbackInfo& info) {
  held_.clear();
  if (boolean(info[0], "isLeft") && fast_path_) fast_path_->leave();
  stop_forwarder();
}

Napi::Value EngineObject::io(const Napi::CallbackInfo& info) {
  Napi::Object io = io_counters(info.Env(), forwarder_ ? forwarder_->counters() : IoCounters{});
  io["fastpath"] = fast_path_counters(info.Env(), fast_path_.get(), fast_path_problem_);
  return io;
}

Napi::Value EngineObject::last_wrong(const Napi::CallbackInfo& info) {
  return wrong_sum(info.Env(), forwarder_ ? forwarder_->last_wrong() : std::nullopt);
}

Napi::Value EngineObject::watch(const Napi::CallbackInfo& info) {
  const WatchOptions options = read_watch_options(info[0]);
  if (!forwarder_) throw Napi::Error::New(info.Env(), "watch: it does not run");
  if (watches_.size() == kWatchesAtMost)
    throw Napi::Error::New(info.Env(), "watch: " + std::to_string(kWatchesAtMost) + " are at work already");
  return guarded(info, [&] {
    watches_.emplace(++watch_number_, forwarder_->watch(options));
    watch_fast_path();
    return Napi::Number::New(info.Env(), watch_number_);
  });
}

Napi::Value EngineObject::take(const Napi::CallbackInfo& info) {
  Watch& watch = watch_of(info[0]);
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

void EngineObject::unwatch(const Napi::CallbackInfo& info) {
  const auto found = watches_.find(number<uint32_t>(info[0], "watch"));
  if (found == watches_.end()) return;
  guarded(info, [&] {
    forwarder_->unwatch(*found->second);
    watches_.erase(found);
    watch_fast_path();
  });
}

Watch& EngineObject::watch_of(const Napi::Value& value) {
  const auto found = watches_.find(number<uint32_t>(value, "watch"));
  if (found == watches_.end()) throw Napi::RangeError::New(value.Env(), "watch: there is none of this number");
  return *found->second;
}

void EngineObject::watch_fast_path() {
  if (!fast_path_) return;
  std::vector<WatchFilter> filters;
  for (const auto& [number, watch] : watches_) filters.push_back(watch->filter());
  fast_path_->watch(filters);
}

void EngineObject::stop_forwarder() {
  if (!forwarder_) return;
  end_traffic();
  napi_remove_env_cleanup_hook(Env(), end_with_environment, this);
}

void EngineObject::end_traffic() {
  watches_.clear();
  forwarder_.reset();
  fast_path_.reset();
}

// A worker thread of Node's may end, by terminate() for one, long before the process: its packet threads must
// not go on with an engine that is about to be freed. A process that exits takes its threads with it.
void EngineObject::end_with_environment(void* engine_object) {
  static_cast<EngineObject*>(engine_object)->end_traffic();
}

}  // namespace onehop::addon

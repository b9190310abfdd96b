#include "results.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "../packet/address.h"
#include "../pipeline/verdict.h"

namespace onehop::addon {

namespace {

Napi::Object traffic(Napi::Env env, const Traffic& traffic) {
  Napi::Object object = Napi::Object::New(env);
  object["packets"] = static_cast<double>(traffic.packets);
  object["bytes"] = static_cast<double>(traffic.bytes);
  return object;
}

// [id, {in, out}], as a Map's constructor wants it.
Napi::Array traffic_by_id(Napi::Env env, const std::vector<IdTraffic>& list) {
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

// As much as there is of a packet of `length` bytes.
Napi::Uint8Array beginning_of(Napi::Env env, const Beginning& beginning, uint32_t length) {
  const uint32_t kept = std::min(length, kBeginningAtMost);
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, kept);
  std::copy_n(beginning.bytes, kept, bytes.Data());
  return bytes;
}

Napi::Object refusal(Napi::Env env, const RefusedReason& reason) {
  constexpr const char* kNames[] = {"none", "request", "answer"};
  const auto& [counted, last] = reason;
  Napi::Object object = traffic(env, counted);
  object["code"] = uint32_t{last.code};
  object["atMs"] = static_cast<double>(last.at_ms);
  object["service"] = last.service;
  object["direction"] = kNames[static_cast<int>(last.direction)];
  object["isPartial"] = last.beginning.is_partial != 0;
  object["length"] = last.length;
  object["beginning"] = beginning_of(env, last.beginning, last.length);
  return object;
}

template <typename List>
Napi::Array numbers(Napi::Env env, const List& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) array[i] = static_cast<double>(list[i]);
  return array;
}

Napi::Object latency(Napi::Env env, const IoCounters& counters) {
  constexpr const char* kNames[kDirections] = {"other", "request", "answer"};
  Napi::Object object = Napi::Object::New(env);
  object["boundsNs"] = numbers(env, kLatencyBoundsNs);
  for (size_t i = 0; i < kDirections; i++) {
    Napi::Object counts = Napi::Object::New(env);
    counts["buckets"] = numbers(env, counters.latency[i].buckets);
    counts["sumNs"] = static_cast<double>(counters.latency[i].sum_ns);
    object[kNames[i]] = counts;
  }
  return object;
}

Napi::Array io_errors(Napi::Env env, const IoCounters& counters) {
  Napi::Array list = Napi::Array::New(env);
  const auto add = [&](const char* call, const IoCounters::ByError& counts) {
    for (size_t error = 0; error < counts.size(); error++) {
      if (counts[error] == 0) continue;
      Napi::Object object = Napi::Object::New(env);
      object["call"] = call;
      object["error"] = error_name(static_cast<int>(error));
      object["count"] = static_cast<double>(counts[error]);
      list[list.Length()] = object;
    }
  };
  add("read TUN", counters.tun_read_errors);
  add("write TUN", counters.tun_write_errors);
  add("write bridge", counters.bridge_write_errors);
  return list;
}

double sum_of(const IoCounters::ByError& counts) {
  return static_cast<double>(std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
}

}  // namespace

Napi::String address_text(Napi::Env env, const uint8_t* address, bool is_v6) {
  constexpr char kDigits[] = "0123456789abcdef";
  char text[32];
  const uint32_t length = address_length(is_v6);
  for (uint32_t i = 0; i < length; i++) {
    text[2 * i] = kDigits[address[i] >> 4];
    text[2 * i + 1] = kDigits[address[i] & 0xf];
  }
  return Napi::String::New(env, text, 2 * length);
}

Napi::Array reasons_by_code(Napi::Env env) {
  Napi::Array list = Napi::Array::New(env, kReasonCount);
  for (uint32_t code = 0; code < kReasonCount; code++) {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair[0u] = kReasons[code].verdict;
    pair[1u] = kReasons[code].reason;
    list[code] = pair;
  }
  return list;
}

Napi::Object counters_object(Napi::Env env, const Counters& counters) {
  Napi::Array reasons = Napi::Array::New(env, counters.reasons.size());
  for (uint32_t code = 0; code < counters.reasons.size(); code++)
    reasons[code] = traffic(env, counters.reasons[code]);
  Napi::Object table = Napi::Object::New(env);
  table["entries"] = static_cast<double>(counters.entries);
  table["capacity"] = static_cast<double>(counters.capacity);
  table["probation"] = static_cast<double>(counters.probation);
  table["made"] = static_cast<double>(counters.made);
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
}

Napi::Array refusals_list(Napi::Env env, const std::vector<RefusedReason>& refusals) {
  Napi::Array list = Napi::Array::New(env, refusals.size());
  for (uint32_t i = 0; i < refusals.size(); i++) list[i] = refusal(env, refusals[i]);
  return list;
}

Napi::Value wrong_sum(Napi::Env env, const std::optional<WrongSum>& wrong) {
  if (!wrong) return env.Undefined();
  const auto packet = [env](const Beginning& beginning, uint32_t length) {
    Napi::Object object = Napi::Object::New(env);
    object["length"] = length;
    object["isPartial"] = beginning.is_partial != 0;
    object["beginning"] = beginning_of(env, beginning, length);
    return object;
  };
  Napi::Object object = Napi::Object::New(env);
  object["atMs"] = static_cast<double>(wrong->at_ns / 1'000'000);
  object["code"] = uint32_t{wrong->code};
  object["fault"] = name_of(wrong->fault);
  object["service"] = wrong->service;
  object["container"] = wrong->container;
  object["arrived"] = packet(wrong->arrived, wrong->arrived_length);
  object["left"] = packet(wrong->left, wrong->left_length);
  return object;
}

Napi::Object io_counters(Napi::Env env, const IoCounters& counters) {
  Napi::Object object = Napi::Object::New(env);
  object["tunReadErrors"] = sum_of(counters.tun_read_errors);
  object["tunWriteErrors"] = sum_of(counters.tun_write_errors);
  object["bridgeWrites"] = static_cast<double>(counters.bridge_writes);
  object["bridgeWriteErrors"] = sum_of(counters.bridge_write_errors);
  object["tunWrites"] = static_cast<double>(counters.tun_writes);
  object["joined"] = static_cast<double>(counters.joined);
  object["tunEmptied"] = static_cast<double>(counters.tun_emptied);
  object["tunQueueLength"] = counters.tun_queue_length;
  object["tunDropped"] = static_cast<double>(counters.tun_dropped);
  object["errors"] = io_errors(env, counters);
  object["neighboursResolved"] = counters.neighbours_resolved;
  object["neighboursWanted"] = counters.neighbours_wanted;
  object["queues"] = counters.queues;
  Napi::Array offload = Napi::Array::New(env, counters.offload.size());
  for (uint32_t i = 0; i < counters.offload.size(); i++) offload[i] = counters.offload[i];
  object["offload"] = offload;
  object["latency"] = latency(env, counters);
  Napi::Object self_check = Napi::Object::New(env);
  self_check["every"] = counters.self_check;
  self_check["checked"] = static_cast<double>(counters.checked);
  self_check["wrong"] = static_cast<double>(counters.wrong);
  object["selfCheck"] = self_check;
  return object;
}

Napi::Object fast_path_counters(Napi::Env env, const FastPath* fast_path, const std::string& problem) {
  const FastPathCounters counters = fast_path ? fast_path->counters() : FastPathCounters{};
  Napi::Object object = Napi::Object::New(env);
  object["state"] = fast_path ? "on" : problem.empty() ? "off" : "unavailable";
  if (!problem.empty()) object["problem"] = problem;
  object["uplinks"] = counters.uplinks;
  object["ports"] = counters.ports;
  object["sources"] = static_cast<double>(counters.sources);
  object["full"] = static_cast<double>(counters.full);
  if (!counters.handover_problem.empty()) object["handoverProblem"] = counters.handover_problem;
  return object;
}

}  // namespace onehop::addon

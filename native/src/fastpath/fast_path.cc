// System calls: poll, clock_gettime; program.cc's, map.h's, attachments.cc's, links.cc's.
#include "fast_path.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <latch>
#include <mutex>
#include <optional>
#include <utility>

#include "../io/failure.h"
#include "../io/netlink.h"
#include "../io/thread_group.h"
#include "../pipeline/lookup.h"
#include "../pipeline/verdict.h"
#include "adoption.h"
#include "attachments.h"
#include "links.h"
#include "map.h"
#include "offers.h"
#include "program.h"
#include "services.h"
#include "sources.h"
#include "straight.h"
#include "tallies.h"
#include "targets.h"

namespace onehop {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kBeat = 1s;
// While sources are being offered, they are taken this often; only then does a packet thread find nobody to wake.
constexpr auto kTake = 2ms;
constexpr int kTakenAtOnce = 256;
// Links and forwarding entries change in bursts; one re-read answers them all.
constexpr auto kSettle = 20ms;
constexpr auto kRetry = 1s;
constexpr auto kLook = 1s;
// The first programs wait for the neighbours: until then those that another daemon left serve its clients.
constexpr auto kFirst = 500ms;
// Sources are looked through this often at the most, and for a twentieth of the time.
constexpr auto kSweep = 1s;
constexpr int kSweepShare = 20;
constexpr auto kRest = 100ms;
// What changes where answers are routed to; neighbours are the kernel's own business.
constexpr int kRouteGroups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,   RTNLGRP_NEXTHOP};

constexpr MapSizes sizes_for(uint32_t sources) {
  return {.fronts = 1 << 17,
          .endpoints = 1 << 18,
          .sources = sources,
          .ports = 1 << 14,
          .straight = 1 << 10};
}

// The clock that the programs and the engine read.
timespec monotonic() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now;
}

uint32_t now_seconds() { return static_cast<uint32_t>(monotonic().tv_sec); }

// Whether the fast path's packets are among those wanted.
bool is_fast(const WatchFilter& filter) {
  uint64_t codes = 0;
  for (const Code code : {Code::kForwardPinned, Code::kForwardKnown, Code::kReplyEndpoint})
    codes |= uint64_t{1} << static_cast<int>(code);
  return (filter.codes & codes) != 0;
}

fast_watch watch_of(const WatchFilter& filter) {
  return {.source = {filter.source.high, filter.source.low},
          .mask = {filter.mask.high, filter.mask.low},
          .service = filter.service,
          .container = filter.container};
}

class LoadedFastPath final : public FastPath {
 public:
  LoadedFastPath(Engine& engine, const FastPathOptions& options)
      : engine_(engine),
        linger_(options.linger),
        program_(sizes_for(options.sources)),
        control_(program_.map(FAST_CONTROL)),
        services_(program_.map("fronts"), program_.map("endpoints")),
        tallies_(program_.map("traffic")),
        targets_(program_.map("targets"), tallies_),
        sources_(program_.map("sources"), targets_),
        straight_(program_.map("straight"), program_.map("routes")),
        links_(options.uplinks, options.bridges),
        attachments_(program_, options.tun),
        route_events_(kRouteGroups),
        offers_(options.packet_threads) {
    if (options.self_check > 0) said_.sampled = ~uint32_t{0} / options.self_check;
    publish(everything_in(engine_.lookup()));
    take_known(options.known);
    if (!options.handover.empty()) try_pin(options.handover);
    threads_.start("onehop-fast", [this](const SignalEvent& stop) { run(stop); });
  }

  void publish(const Replaced& replaced) override {
    const std::lock_guard lock(mutex_);
    services_.publish(replaced, engine_.lookup().aliases(), engine_.version());
    const uint64_t version = engine_.container_addresses_version();
    if (std::exchange(containers_version_, version) == version) return;
    containers_ = engine_.container_addresses();
    are_targets_due_ = true;
    wake_.raise();
  }

  void invalidate(const std::unordered_set<uint32_t>& scopes) override {
    const std::lock_guard lock(mutex_);
    services_.invalidate(scopes, engine_.version());
  }

  void watch(const std::vector<WatchFilter>& filters) override {
    const std::lock_guard lock(mutex_);
    said_.watches = 0;
    for (const WatchFilter& filter : filters)
      if (is_fast(filter)) said_.watched[said_.watches++] = watch_of(filter);
    control_.put(0, said_);
  }

  // The thread waits for neighbours, for so long at the most.
  void attach() override { attached_.wait(); }
  void leave() override { is_left_ = true; }

  void use_uplinks(std::vector<std::string> names) override { use(uplinks_, std::move(names)); }
  void use_bridges(std::vector<std::string> names) override { use(bridges_, std::move(names)); }

  void forwarded(size_t reader, const Result& result, uint32_t version) override {
    const Offer offer{{result.source, result.scope, result.is_v6},
                      result.service,
                      result.container,
                      version,
                      result.code == static_cast<uint8_t>(Code::kForwardPinned)};
    if (!offers_[reader].push(offer, coarse_seconds())) return;
    // The other side says that it sleeps before it looks at the offers for the last time.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (is_asleep_.load(std::memory_order_relaxed) && is_asleep_.exchange(false)) wake_.raise();
  }

  void neighbours_changed(const NeighbourMap& map) override {
    const std::lock_guard lock(mutex_);
    neighbours_ = map;
    are_targets_due_ = true;
    has_neighbours_.store(true, std::memory_order_relaxed);
    wake_.raise();
  }

  void add_to(Counters& counters) const override { tallies_.add_to(counters); }

  FastPathCounters counters() const override {
    return {uplink_count_.load(std::memory_order_relaxed), port_count_.load(std::memory_order_relaxed),
            source_count_.load(std::memory_order_relaxed),
            full_.load(std::memory_order_relaxed), handover_problem_};
  }

 private:
  using Names = std::optional<std::vector<std::string>>;

  static Replaced everything_in(const SnapshotLookup& lookup) {
    Replaced all;
    lookup.for_each_service([&all](const auto& service) { all.come.push_back(service); });
    return all;
  }

  void use(Names& place, std::vector<std::string> names) {
    const std::lock_guard lock(mutex_);
    place = std::move(names);
    wake_.raise();
  }

  void take_known(std::span<const Row> known);
  void try_pin(const std::string& folder);

  static uint32_t coarse_seconds() {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<uint32_t>(now.tv_sec);
  }

  // From here on: the fast path's thread.
  void run(const SignalEvent& stop);
  void wait(const SignalEvent& stop);
  Clock::duration time_to_wait();
  void beat();
  void hear_routes();
  void renew_routes();
  void take_offers();
  bool take_some();
  void take_names();
  void read_links();
  void look_at_straight();
  void publish_targets();
  void begin_epoch();
  void sweep();
  void sweep_rest();

  Engine& engine_;
  const std::chrono::seconds linger_;
  const Program program_;
  Map<uint32_t, fast_control> control_;

  std::mutex mutex_;  // for these seven
  fast_control said_{};
  Services services_;
  std::vector<ContainerAddress> containers_;
  NeighbourMap neighbours_;
  uint64_t containers_version_ = ~uint64_t{0};
  Names uplinks_, bridges_;  // that are new
  std::atomic<bool> are_targets_due_ = true;

  Tallies tallies_;
  Targets targets_;
  Sources sources_;
  StraightUplinks straight_;
  Links links_;
  Attachments attachments_;
  NetlinkSocket route_events_;
  SignalEvent wake_;
  alignas(64) std::atomic<bool> is_asleep_ = false;
  std::vector<Offers> offers_;
  std::atomic<uint32_t> uplink_count_ = 0, port_count_ = 0;
  std::atomic<uint64_t> source_count_ = 0, full_ = 0;
  std::atomic<bool> has_neighbours_ = false, is_left_ = false;
  std::latch attached_{1};
  std::string handover_problem_;

  // Of the thread.
  Clock::time_point beat_at_{}, read_at_ = Clock::now() + kFirst, look_at_{}, sweep_at_{}, sweep_began_{}, offered_{};
  bool is_sweeping_ = false, has_begun_ = false, is_attached_ = false;
  uint32_t epoch_ = 1, routes_ = 0;

  ThreadGroup threads_;  // last: stopped before what it uses is destroyed
};

// Nobody but the constructor's thread knows of the maps yet.
void LoadedFastPath::take_known(std::span<const Row> known) {
  for (const Offer& offer : offers_for(known, engine_))
    if (sources_.take(offer, services_, now_seconds()) == Sources::Taken::kFull) full_++;
}

void LoadedFastPath::try_pin(const std::string& folder) {
  try {
    pin(program_, folder);
  } catch (const IoFailure& failure) {
    handover_problem_ = failure.what();
  }
}

void LoadedFastPath::run(const SignalEvent& stop) {
  while (!stop.is_raised()) {
    if (Clock::now() >= beat_at_) beat();
    take_offers();
    take_names();
    if (has_neighbours_.load(std::memory_order_relaxed) && !std::exchange(has_begun_, true)) read_at_ = {};
    if (Clock::now() >= read_at_) read_links();
    publish_targets();
    if (Clock::now() >= look_at_) look_at_straight();
    if (Clock::now() >= sweep_at_) sweep();
    wait(stop);
  }
  if (is_left_)
    beat();
  else
    attachments_.detach_all();
  sweep_rest();
}

void LoadedFastPath::wait(const SignalEvent& stop) {
  std::array<pollfd, 4> polled = {{{stop.number(), POLLIN, 0},
                                   {wake_.number(), POLLIN, 0},
                                   {links_.events(), POLLIN, 0},
                                   {route_events_.number(), POLLIN, 0}}};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max<Clock::duration>(time_to_wait(), 0ms));
  ::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
  is_asleep_.store(false, std::memory_order_relaxed);
  if (polled[1].revents) wake_.lower();
  if (polled[3].revents) hear_routes();
  if (polled[2].revents && links_.hear()) read_at_ = std::min(read_at_, Clock::now() + kSettle);
}

Clock::duration LoadedFastPath::time_to_wait() {
  const auto now = Clock::now();
  if (now - offered_ < kTake * 2) return kTake;
  is_asleep_.store(true);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!std::ranges::all_of(offers_, &Offers::is_empty)) return 0ms;
  return std::min({beat_at_, read_at_, look_at_, sweep_at_}) - now;
}

// Until then the programs go on without us.
void LoadedFastPath::beat() {
  const timespec now = monotonic();
  const auto until = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) + linger_;
  const std::lock_guard lock(mutex_);
  said_.until = static_cast<uint64_t>(std::chrono::nanoseconds(until).count());
  said_.epoch = epoch_;
  said_.routes = routes_;
  control_.put(0, said_);
  beat_at_ = Clock::now() + kBeat;
}

// Whatever was said, and also when some was lost.
void LoadedFastPath::hear_routes() {
  route_events_.drain([](const NetlinkMessage&) {});
  renew_routes();
}

// With a route its port's bridge is remembered.
void LoadedFastPath::renew_routes() {
  routes_++;
  beat();
}

// In turns, so that a publish waits for no more than one.
void LoadedFastPath::take_offers() {
  while (take_some()) offered_ = Clock::now();
}

bool LoadedFastPath::take_some() {
  const std::lock_guard lock(mutex_);
  const uint32_t now = now_seconds();
  int taken = 0;
  Offer offer;
  for (Offers& offers : offers_)
    for (; taken < kTakenAtOnce && offers.pop(offer); taken++)
      if (sources_.take(offer, services_, now) == Sources::Taken::kFull) full_.fetch_add(1, std::memory_order_relaxed);
  return taken > 0;
}

void LoadedFastPath::take_names() {
  const std::lock_guard lock(mutex_);
  if (!uplinks_ && !bridges_) return;
  if (uplinks_) links_.use_uplinks(*std::exchange(uplinks_, std::nullopt));
  if (bridges_) links_.use_bridges(*std::exchange(bridges_, std::nullopt));
  read_at_ = {};
}

// Targets first, so that new programs know of them.
void LoadedFastPath::read_links() {
  const bool is_read = links_.read() == 0;
  are_targets_due_.store(is_read, std::memory_order_relaxed);
  publish_targets();
  const bool is_whole = is_read && attachments_.publish(links_);
  if (!std::exchange(is_attached_, true)) attached_.count_down();
  read_at_ = is_whole ? Clock::time_point::max() : Clock::now() + kRetry;
  uplink_count_.store(attachments_.count(Part::kRequest), std::memory_order_relaxed);
  port_count_.store(attachments_.count(Part::kAnswer), std::memory_order_relaxed);
  straight_.publish(links_);
  renew_routes();
}

// What nobody tells of.
void LoadedFastPath::look_at_straight() {
  look_at_ = Clock::now() + kLook;
  if (!straight_.has_any()) return;
  if (straight_.publish(links_)) read_links();
  straight_.confirm_neighbours(now_seconds());
}

void LoadedFastPath::publish_targets() {
  if (!are_targets_due_.exchange(false)) return;
  std::unique_lock lock(mutex_);
  const std::vector<ContainerAddress> containers = containers_;
  const NeighbourMap neighbours = neighbours_;
  targets_.free_unused(services_);
  lock.unlock();
  targets_.publish(containers, neighbours, links_);
}

void LoadedFastPath::begin_epoch() {
  sweep_began_ = Clock::now();
  epoch_++;
  beat();
}

// A twentieth of the time, whatever there is to look through.
void LoadedFastPath::sweep() {
  const auto began = Clock::now();
  if (!is_sweeping_) begin_epoch();
  is_sweeping_ = !sources_.sweep(engine_, epoch_ - 1, now_seconds());
  const auto now = Clock::now();
  sweep_at_ = now + (now - began) * kSweepShare;
  if (is_sweeping_) return;
  sweep_at_ = std::max(sweep_at_, sweep_began_ + kSweep);
  source_count_.store(sources_.count(), std::memory_order_relaxed);
}

// What was sent since the last time, as far as there is time for it.
void LoadedFastPath::sweep_rest() {
  const auto end = Clock::now() + kRest;
  for (int whole = is_sweeping_ ? 0 : 1; whole < 2 && Clock::now() < end; whole += !is_sweeping_) sweep();
}

}  // namespace

std::unique_ptr<FastPath> FastPath::open(Engine& engine, const FastPathOptions& options) {
  return std::make_unique<LoadedFastPath>(engine, options);
}

std::string FastPath::problem() {
  try {
    const Program program(sizes_for(1));
    return "";
  } catch (const IoFailure& failure) {
    return failure.what();
  }
}

void FastPath::clear(const std::string& tun) { Hooks(tun).detach_all(); }
std::vector<Row> FastPath::left_in(const std::string& folder) { return read_pinned(folder); }
std::string FastPath::layout() { return pinned_layout(); }

}  // namespace onehop

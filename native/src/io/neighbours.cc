// System calls: poll; netlink.cc's.
#include "neighbours.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "failure.h"

namespace onehop {

namespace {

using namespace std::chrono_literals;

// How long a stale or unresolved neighbour waits for the next question. Stale ones are in use all the while, and
// a packet for an unresolved one makes the kernel ask at once, so this bounds only what silence costs.
constexpr auto kConfirmEvery = 5s;
// Routes and links change in bursts; one re-read answers them all.
constexpr auto kSettle = 100ms;
constexpr auto kRetry = 1s;
// Unknown neighbours asked for at once, and how soon the next are when all of these have answered.
constexpr size_t kAsked = 64;
constexpr auto kNext = 100ms;
// Requests sent with one call: their answers fit into the socket's queue many times over.
constexpr size_t kBatch = 64;

IpAddress address_of(const ContainerAddress& container) {
  IpAddress address{.is_v6 = container.is_v6};
  std::copy_n(container.bytes, container.is_v6 ? 16 : 4, address.bytes.begin());
  return address;
}

// Calls `use` for slices of at most kBatch.
template <typename Item>
void for_each_batch(std::span<const Item> items, const std::function<void(std::span<const Item>)>& use) {
  for (; !items.empty(); items = items.subspan(std::min(kBatch, items.size())))
    use(items.first(std::min(kBatch, items.size())));
}

}  // namespace

Neighbours::Neighbours(std::vector<std::string> bridges, size_t readers, Observer* observer)
    : observer_(observer),
      events_(groups_to_follow()),
      map_(std::make_unique<NeighbourMap>(), readers),
      wanted_bridges_(std::move(bridges)) {
  require_bridges();
}

void Neighbours::follow(std::vector<ContainerAddress> wanted) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(wanted);
    wanted_count_.store(static_cast<uint32_t>(wanted_.size()), std::memory_order_relaxed);
  }
  wake_.raise();
}

void Neighbours::use_bridges(std::vector<std::string> bridges) {
  {
    const std::lock_guard lock(mutex_);
    wanted_bridges_ = std::move(bridges);
  }
  wake_.raise();
}

void Neighbours::run(const SignalEvent& stop) {
  std::array<pollfd, 3> polled = {{{stop.number(), POLLIN, 0},
                                   {wake_.number(), POLLIN, 0},
                                   {events_.number(), POLLIN, 0}}};
  const auto& [stopped, woken, heard] = polled;
  for (;;) {
    const auto due = std::min(synchronise_at_, confirm_at_) - Clock::now();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max<Clock::duration>(due, 0ms));
    ::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
    if (stopped.revents) return;
    if (woken.revents) {
      wake_.lower();
      synchronise_at_ = {};
    }
    if (heard.revents) hear();
    if (Clock::now() >= synchronise_at_) synchronise();
    if (Clock::now() >= confirm_at_) {
      const bool is_answered = table_.is_answered();
      confirm(table_.doubtful(kAsked));
      confirm_at_ = Clock::now() + (is_answered && table_.is_asking() ? kNext : kConfirmEvery);
    }
    if (is_changed_) publish();
  }
}

void Neighbours::require_bridges() {
  for (const std::string& name : wanted_bridges_) {
    std::optional<Link> link;
    request_link(requests_, name);
    const int error = requests_.exchange(
        [&](size_t, const NetlinkMessage* message) { link = message ? parse_link(*message) : std::nullopt; });
    if (error) throw system_failure("RTM_GETLINK " + name, error);
    if (!link) throw IoFailure(IoFailure::Cause::kNetwork, "bridge " + name + ": no such interface");
    if (!link->is_ethernet)
      throw IoFailure(IoFailure::Cause::kNetwork, "bridge " + name + ": not an Ethernet interface");
  }
}

void Neighbours::hear() {
  // Whatever failed, something may have been missed; ENOBUFS says so outright.
  if (events_.drain([this](const NetlinkMessage& message) { apply(message); }) != 0) {
    synchronise_at_ = {};
    heard_.fetch_add(1, std::memory_order_relaxed);
  }
  release(std::exchange(moved_, {}));
  confirm(std::exchange(lost_, {}));
}

void Neighbours::apply(const NetlinkMessage& message) {
  if (is_link_change(message) || is_routing_change(message)) heard_.fetch_add(1, std::memory_order_relaxed);
  if (const auto entry = parse_neighbour(message)) {
    const auto change = table_.apply(*entry);
    is_changed_ |= change != NeighbourTable::Change::kNone;
    if (change == NeighbourTable::Change::kLost) lost_.push_back({entry->interface, entry->address});
  } else if (const auto port = parse_lost_port(message)) {
    std::ranges::copy(table_.behind(*port), std::back_inserter(moved_));
  } else if (const auto link = parse_link(message); (link && table_.apply(*link)) || is_routing_change(message)) {
    is_changed_ = true;
    synchronise_at_ = std::min(synchronise_at_, Clock::now() + kSettle);
  }
}

void Neighbours::synchronise() {
  int error = read_bridges();
  if (!error) error = read_routes();
  if (!error) error = read_neighbours();
  synchronise_at_ = error ? Clock::now() + kRetry : Clock::time_point::max();
  confirm_at_ = {};
  is_changed_ = true;
}

int Neighbours::read_bridges() {
  {
    const std::lock_guard lock(mutex_);
    bridges_ = wanted_bridges_;
  }
  table_.use_bridges(bridges_);
  for (const std::string& name : bridges_) request_link(requests_, name);
  return requests_.exchange([this](size_t position, const NetlinkMessage* message) {
    table_.set_bridge(bridges_[position], message ? parse_link(*message) : std::nullopt);
  });
}

int Neighbours::read_routes() {
  const std::vector<ContainerAddress> wanted = wanted_now();
  std::vector<ContainerRoute> routes;
  int error = 0;
  for_each_batch<ContainerAddress>(wanted, [&](std::span<const ContainerAddress> batch) {
    for (const ContainerAddress& container : batch) request_route(requests_, address_of(container));
    const int failed = requests_.exchange([&](size_t position, const NetlinkMessage* message) {
      const ContainerAddress& container = batch[position];
      const auto route = message ? parse_route(*message) : std::nullopt;
      if (!route) return;  // unreachable as things are
      const Hop hop = {route->interface, route->gateway.value_or(address_of(container))};
      routes.push_back({container.container, container.is_v6, hop, route->mtu});
    });
    if (failed) error = failed;
  });
  if (!error) table_.set_routes(routes);
  return error;
}

int Neighbours::read_neighbours() {
  table_.forget_neighbours();
  for (const int bridge : table_.bridges())
    for (const bool is_v6 : {false, true}) {
      request_neighbours(requests_, bridge, is_v6);
      const int error = requests_.dump([this](const NetlinkMessage& message) {
        if (const auto entry = parse_neighbour(message)) table_.apply(*entry);
      });
      if (error) return error;
    }
  return 0;
}

// A refusal (the interface is down, the kernel's neighbour table is full) leaves the neighbour as it is; the next
// round asks again.
void Neighbours::confirm(const std::vector<Hop>& hops) {
  for_each_batch<Hop>(hops, [this](std::span<const Hop> batch) {
    for (const Hop& hop : batch) request_resolution(requests_, hop.interface, hop.address);
    requests_.exchange([](size_t, const NetlinkMessage*) {});
  });
}

// The kernel would send to the old hardware address until its own checks fail, 5 to 40 seconds later. Its event
// about the removal then makes us ask anew.
void Neighbours::release(const std::vector<Hop>& hops) {
  for_each_batch<Hop>(hops, [this](std::span<const Hop> batch) {
    for (const Hop& hop : batch) request_removal(requests_, hop.interface, hop.address);
    requests_.exchange([](size_t, const NetlinkMessage*) {});
  });
}

void Neighbours::publish() {
  auto [map, resolved] = table_.resolve();
  if (observer_ != nullptr) observer_->neighbours_changed(*map);
  map_.replace(std::move(map));
  resolved_count_.store(resolved, std::memory_order_relaxed);
  is_changed_ = false;
}

std::vector<ContainerAddress> Neighbours::wanted_now() {
  const std::lock_guard lock(mutex_);
  return wanted_;
}

}  // namespace onehop

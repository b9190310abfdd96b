#include "worlds.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "invariants.h"

namespace onehop::fuzz {

namespace {

// Of these bytes an engine makes its tables: no service, but the key.
std::vector<uint8_t> without_services(const std::vector<uint8_t>& snapshot) {
  constexpr size_t kThroughKey = 4 + 4 + 16, kFourFlagsAndTwoEmptyLists = 4 + 4 + 4;
  std::vector<uint8_t> empty(snapshot.begin(), snapshot.begin() + kThroughKey);
  empty.resize(kThroughKey + kFourFlagsAndTwoEmptyLists);
  return empty;
}

// The file's numbers, little-endian, and bytes, one after another.
class File {
 public:
  explicit File(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    expect(!bytes_.empty(), "the file `worlds` lies beside the fuzzer");
  }
  uint32_t number() {
    uint32_t value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  std::vector<uint8_t> block() {
    const uint32_t length = number();
    const auto* bytes = reinterpret_cast<const uint8_t*>(take(length));
    return {bytes, bytes + length};
  }

 private:
  const char* take(size_t length) {
    expect(length <= bytes_.size() - read_, "the file `worlds` is whole");
    return bytes_.data() + std::exchange(read_, read_ + length);
  }
  std::vector<char> bytes_;
  size_t read_ = 0;
};

}  // namespace

World::World(const TableSizes& sizes, std::vector<std::vector<uint8_t>> snapshots)
    : snapshots_(std::move(snapshots)), engine_(Engine::create(sizes)) {
  allocations_.record(
      [this] {
        engine_->publish(without_services(snapshots_[0]));
        worker_ = engine_->attach();
      },
      [this] {
        for (size_t i = snapshots_.size(); i-- > 0;) publish(i);
      });
  list_ends();
}

void World::publish(size_t snapshot) {
  published_ = snapshot % snapshots_.size();
  engine_->publish(snapshots_[published_]);
}

void World::restore() {
  if (published_ != 0) publish(0);
  allocations_.restore();
}

void World::list_ends() {
  const Update update = decode_update(snapshots_[0]);
  std::vector<uint16_t> targets;
  for (const auto& service : update.services)
    for (const Front& front : service->fronts) {
      ends_.push_back({front.is_v6, front.address, swap16(front.port)});
      targets.push_back(swap16(front.target));
    }
  for (const auto& service : update.services)
    for (const Member& member : service->members)
      for (const bool is_v6 : {false, true})
        for (const uint16_t target : targets)
          if (member.has_address[is_v6]) ends_.push_back({is_v6, member.address[is_v6], target});
}

std::vector<std::unique_ptr<World>> load_worlds(const std::string& program) {
  File file(std::filesystem::path(program).parent_path() / "worlds");
  std::vector<std::unique_ptr<World>> worlds;
  for (uint32_t left = file.number(); left > 0; left--) {
    TableSizes sizes{};
    for (uint32_t* size : {&sizes.capacity, &sizes.probation, &sizes.flows, &sizes.fragments}) *size = file.number();
    std::vector<std::vector<uint8_t>> snapshots(file.number());
    for (auto& snapshot : snapshots) snapshot = file.block();
    worlds.push_back(std::make_unique<World>(sizes, std::move(snapshots)));
  }
  return worlds;
}

}  // namespace onehop::fuzz

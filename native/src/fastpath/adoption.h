// What a daemon that died leaves to the next one: its maps stay in the kernel as files of a bpf file system (bpf(2),
// BPF_OBJ_PIN), and its programs go on with them. The next daemon reads which sources they serve, gives its own maps the same
// before its programs take the place of the others, and so nobody meets an empty map.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "../pipeline/engine.h"
#include "offers.h"
#include "program.h"

namespace onehop {

// Names the form of what is pinned: another one cannot be read. Of native/bpf/maps.h's text, whatever it says.
const char* pinned_layout();

// Pins what the next daemon reads into a folder of a bpf file system. Throws IoFailure.
void pin(const Program& program, const std::string& folder);

// The sources that the maps in the folder serve still, with the numbers of whoever pinned them: key, container and when they
// were seen. None where nothing can be read.
std::vector<Row> read_pinned(const std::string& folder);

// Those of these rows' sources that the engine's table and pins send to one container for sure, as its packet threads would
// have offered them.
std::vector<Offer> offers_for(std::span<const Row> rows, const Engine& engine);

}  // namespace onehop

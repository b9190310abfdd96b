// madvise(2): asks for huge pages, where the system gives them to those who ask.
#pragma once

#include <sys/mman.h>

#include <cstddef>

namespace onehop {

// An onehop::PageAdvice. A refusal changes nothing but speed.
inline void advise_huge_pages(void* memory, size_t bytes) { ::madvise(memory, bytes, MADV_HUGEPAGE); }

}  // namespace onehop

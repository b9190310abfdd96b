// madvise(2): asks for huge pages, where the system gives them to those who ask, and gives back those that nobody wants.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "../table/slots.h"

namespace onehop {

constexpr uintptr_t kPageBytes = 4096;

// An onehop::PageAdvice. A refusal changes nothing but speed and memory. What shares a page with others is not given back.
inline void advise_pages(void* memory, size_t bytes, PageUse use) {
  const auto at = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = (at + kPageBytes - 1) & ~(kPageBytes - 1), end = (at + bytes) & ~(kPageBytes - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, use == PageUse::kAllOver ? MADV_HUGEPAGE : MADV_DONTNEED);
}

}  // namespace onehop

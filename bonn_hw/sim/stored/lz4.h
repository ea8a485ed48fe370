// SPDX-License-Identifier: BSD-3-Clause
// The part of LZ4's interface that Verilator's FST writer uses: one sequence of literals (LZ4 block
// format), without compression.
#pragma once
#include <cstring>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

inline int LZ4_compress_default(const char* data, char* out, int size, int capacity) {
  if (capacity < LZ4_compressBound(size)) return 0;
  char* at = out;
  int rest = size - 15;
  *at++ = static_cast<char>((rest >= 0 ? 15 : size) << 4);
  for (; rest >= 0; rest -= 255) *at++ = static_cast<char>(rest >= 255 ? 255 : rest);
  std::memcpy(at, data, size);
  return static_cast<int>(at + size - out);
}

// SPDX-License-Identifier: BSD-3-Clause
// A vector of LANES bits, with an image in every bit.
#pragma once
#include <cstdint>
#include <cstring>

typedef uint64_t V __attribute__((vector_size(LANES / 8)));
typedef uint8_t Bytes __attribute__((vector_size(LANES / 8)));

// A net of control, 0 or 255, as the same bit for all images.
static inline V spread(uint8_t byte) { return reinterpret_cast<V>(Bytes{} | byte); }

constexpr V zeros = {};
constexpr V ones = ~zeros;

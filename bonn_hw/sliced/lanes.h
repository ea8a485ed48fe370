// SPDX-License-Identifier: BSD-3-Clause
// A vector of LANES bits, with an image in every bit; a net of control; and gates of both.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

typedef uint64_t V __attribute__((vector_size(LANES / 8)));
// A net of control: all bits, or none. As wide as the narrowest word that a processor spreads over a
// vector while it loads it.
typedef uint32_t Control;
typedef Control Controls __attribute__((vector_size(LANES / 8)));

#define INLINE static inline __attribute__((always_inline))

INLINE V spread(Control net) { return reinterpret_cast<V>(Controls{} | net); }

constexpr V zeros = {};
constexpr V ones = ~zeros;

// Bit i of the table where the inputs read i, `a` the lowest bit. What does not change with the last
// input, and what does: f = f(0) ^ (c & (f(0) ^ f(1))). The compiler simplifies it.
template <int table, typename T> INLINE T gate(T a) {
  if constexpr (table == 0) return T{};
  if constexpr (table == 1) return ~a;
  if constexpr (table == 2) return a;
  return ~T{};
}

template <int table, typename T> INLINE T gate(T a, T b) {
  return gate<table & 3>(a) ^ (b & gate<(table ^ table >> 2) & 3>(a));
}

template <int table, typename T> INLINE T gate(T a, T b, T c) {
#ifdef __AVX512F__
  if constexpr (sizeof(T) == sizeof(__m512i)) {
    return T(_mm512_ternarylogic_epi32(__m512i(c), __m512i(b), __m512i(a), table));
  }
#endif
  return gate<table & 15>(a, b) ^ (c & gate<(table ^ table >> 4) & 15>(a, b));
}

// The bytes of a memory of control, 0 or 255, as nets of control.
void widen(Control* to, const uint8_t* from, size_t count);

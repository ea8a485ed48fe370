// SPDX-License-Identifier: BSD-3-Clause
// Vectors without intrinsics: compilers know the registers for them.
#pragma once

#include <cstdint>
#include <cstring>

constexpr int VECTOR = 16;  // bytes

template <typename Element>
struct VectorOf {
  typedef Element Type __attribute__((vector_size(VECTOR), may_alias));
};
template <typename Element>
using Vector = typename VectorOf<Element>::Type;

// Compute a vector here, in a register: compilers like to find all addresses first, and spill them.
template <typename Any>
inline void keep(Any& vector) {
#if defined(__x86_64__)
  asm("" : "+x"(vector));
#elif defined(__aarch64__)
  asm("" : "+w"(vector));
#endif
}

// A bit for each of 16 values: whether it is at least its limit.
inline void at_least(const int32_t* values, const int32_t* limits, uint8_t* bits) {
  Vector<int32_t> chosen = {}, places = {1, 2, 4, 8};
  for (int i = 0; i < 16; i += 4, places <<= 4) {
    Vector<int32_t> value, limit;
    std::memcpy(&value, values + i, sizeof value);
    std::memcpy(&limit, limits + i, sizeof limit);
    chosen |= (value >= limit) & places;
  }
  const int mask = chosen[0] | chosen[1] | chosen[2] | chosen[3];
  bits[0] = static_cast<uint8_t>(mask);
  bits[1] = static_cast<uint8_t>(mask >> 8);
}

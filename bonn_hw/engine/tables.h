// SPDX-License-Identifier: BSD-3-Clause
// Differences of bits without an instruction that counts them: four bits of an input choose a row of
// a table, which says for each of many neurons how many of four bits of its weights differ. No
// intrinsics: compilers make vector code of it for any processor.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vectors.h"

constexpr int NIBBLE = 4, ENTRIES = 1 << NIBBLE, NIBBLES = 64 / NIBBLE;  // of a word
constexpr int TABLE_WINDOWS = 64;  // at a time: a table is read from the nearest cache for all of them

// How many bits differ, of neurons with even and with odd numbers. A limit is the most that may, the
// even ones first; from the constant, each takes 2.
struct TableSums {
  using Limit = int16_t;
  static constexpr int NEURONS = VECTOR;
  Vector<int16_t> even = {}, odd = {};

  void add(Vector<uint8_t> bytes) {
    const auto both = reinterpret_cast<Vector<uint16_t>>(bytes);
    even += reinterpret_cast<Vector<int16_t>>(both & 255);
    odd += reinterpret_cast<Vector<int16_t>>(both >> 8);
  }
  void above(const int16_t* limits, uint8_t* bits) const {
    const auto* limit = reinterpret_cast<const Vector<int16_t>*>(limits);
    const auto low = reinterpret_cast<Vector<uint64_t>>(even <= limit[0]);
    const auto high = reinterpret_cast<Vector<uint64_t>>(odd <= limit[1]);
    const Vector<uint64_t> chosen = (low & 0x0040001000040001) | (high & 0x8000200008000200);
    for (int i = 0; i < NEURONS / 8; i++)  // the eight bits of a word have eight places in a byte
      bits[i] = static_cast<uint8_t>(chosen[i] * 0x0101010101010101 >> 56);
  }
  void store(const int32_t* largest, int64_t there, int32_t* out) const {
    for (int64_t i = 0; i < std::min<int64_t>(NEURONS, there); i++)
      out[i] = largest[i] - 2 * (i % 2 ? odd : even)[i / 2];
  }
};

// A table of a word: [NIBBLES][ENTRIES] rows for `COUNT` vectors of neurons.
template <int COUNT>
struct Table {
  static constexpr int ROW = COUNT * VECTOR, SCALE = ROW == 64 ? 6 : ROW == 32 ? 5 : 4;
  static_assert(ROW == 1 << SCALE);
  Vector<uint8_t> rows[NIBBLES][ENTRIES][COUNT];

  void add(uint64_t word, int nibbles, TableSums* sums) const {
    Vector<uint8_t> bytes[COUNT] = {};
    const auto count = [&](int nibble) {
      const int bit = NIBBLE * nibble;  // a nibble of the word is masked where its row's offset is
      const uint64_t scaled = bit < SCALE ? word << (SCALE - bit) : word >> (bit - SCALE);
      const auto* table = reinterpret_cast<const char*>(rows[nibble]);
      const auto* row = reinterpret_cast<const Vector<uint8_t>*>(
          table + (scaled & (ENTRIES - 1) << SCALE));
#pragma GCC unroll 4
      for (int i = 0; i < COUNT; i++) keep(bytes[i] += row[i]);
    };
    if (nibbles == NIBBLES) {
#pragma GCC unroll 16
      for (int i = 0; i < NIBBLES; i++) count(i);
    } else {
      for (int i = 0; i < nibbles; i++) count(i);
    }
#pragma GCC unroll 4
    for (int i = 0; i < COUNT; i++) sums[i].add(bytes[i]);
  }
};

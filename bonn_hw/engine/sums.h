// SPDX-License-Identifier: BSD-3-Clause
// Sums of a group of `NEURONS` neurons in registers: a vector of weights and `STEP` inputs at a time.
//
// above: a bit for each neuron: whether its sum is large enough for +1, by its limit.
// store: the sums of the first `there` neurons, each with its constant.
// flush: at least once in UNTIL_FLUSH calls of add, and after the last one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "vectors.h"

constexpr int64_t NEVER = INT64_MAX;

#if defined(__AVX2__)
// Of bits: how many differ. The limit is the most that may; from the constant, each takes 2. Other
// processors have tables.
struct Differences {
  using Input = uint64_t;
  using Limit = int32_t;
  static constexpr int NEURONS = 8, STEP = 1;
#if defined(__AVX512VPOPCNTDQ__)
  static constexpr int64_t UNTIL_FLUSH = NEVER;
  __m512i sums = _mm512_setzero_si512();

  void add(const uint64_t* weights, const uint64_t* in) {
    const auto bits = static_cast<int64_t>(*in);
    const __m512i both = _mm512_xor_si512(_mm512_load_si512(weights), _mm512_set1_epi64(bits));
    sums = _mm512_add_epi64(sums, _mm512_popcnt_epi64(both));
  }
  void flush() {}
  __m256i counts() const { return _mm512_cvtepi64_epi32(sums); }
#else
  static constexpr int64_t UNTIL_FLUSH = 31;  // 31 * 8 < 256
  // Bytes are counted by nibbles, and summed up before one is full.
  __m256i bytes[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i sums = _mm256_setzero_si256();

  void add(const uint64_t* weights, const uint64_t* in) {
    const __m256i counts = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i all = _mm256_set1_epi64x(static_cast<int64_t>(*in));
    for (int half = 0; half < 2; half++) {
      const auto* from = reinterpret_cast<const __m256i*>(weights + 4 * half);
      const __m256i both = _mm256_xor_si256(_mm256_load_si256(from), all);
      const __m256i low = _mm256_and_si256(both, nibble);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble);
      bytes[half] = _mm256_add_epi8(bytes[half], _mm256_shuffle_epi8(counts, low));
      bytes[half] = _mm256_add_epi8(bytes[half], _mm256_shuffle_epi8(counts, high));
    }
  }
  void flush() {
    const __m256i one = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
    __m256i fours[2];  // sums of four bytes: two for each neuron
    for (int half = 0; half < 2; half++) {
      fours[half] = _mm256_madd_epi16(_mm256_maddubs_epi16(bytes[half], one), ones);
      bytes[half] = _mm256_setzero_si256();
    }
    // Neurons 0, 1, 4, 5, and then 2, 3, 6, 7.
    const __m256i eights = _mm256_hadd_epi32(fours[0], fours[1]);
    sums = _mm256_add_epi32(sums, _mm256_permute4x64_epi64(eights, 0b11011000));
  }
  __m256i counts() const { return sums; }
#endif

  void above(const int32_t* limits, uint8_t* bits) const {
    const __m256i limit = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(limits));
    const __m256i more = _mm256_cmpgt_epi32(counts(), limit);
    *bits = static_cast<uint8_t>(~_mm256_movemask_ps(_mm256_castsi256_ps(more)));
  }
  void store(const int32_t* largest, int64_t there, int32_t* out) const {
    const __m256i most = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(largest));
    const __m256i all = _mm256_sub_epi32(most, _mm256_slli_epi32(counts(), 1));
    if (there >= NEURONS) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), all);
      return;
    }
    int32_t one[NEURONS];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(one), all);
    std::copy_n(one, there, out);
  }
};
#endif

// Of products of 16-bit integers. The limit is the least; the constant is added.
struct Products {
  using Input = int16_t;
  using Limit = int32_t;
  static constexpr int NEURONS = 16;
  static constexpr int64_t UNTIL_FLUSH = NEVER;
#if defined(__AVX512VNNI__)
  static constexpr int STEP = 2;
  __m512i all = _mm512_setzero_si512();

  void add(const int16_t* weights, const int16_t* in) {
    int32_t pair;
    std::memcpy(&pair, in, sizeof pair);
    all = _mm512_dpwssd_epi32(all, _mm512_load_si512(weights), _mm512_set1_epi32(pair));
  }
#elif defined(__AVX2__)
  static constexpr int STEP = 2;
  __m256i all[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};

  void add(const int16_t* weights, const int16_t* in) {
    int32_t pair;
    std::memcpy(&pair, in, sizeof pair);
    const auto* w = reinterpret_cast<const __m256i*>(weights);
    for (int i = 0; i < 2; i++) {
      const __m256i both = _mm256_madd_epi16(_mm256_load_si256(w + i), _mm256_set1_epi32(pair));
      all[i] = _mm256_add_epi32(all[i], both);
    }
  }
#else
  static constexpr int STEP = 1;
  int32_t all[NEURONS] = {};

  void add(const int16_t* weights, const int16_t* in) {
    for (int i = 0; i < NEURONS; i++) all[i] += *in * weights[i];
  }
#endif
  void flush() {}
#if defined(__AVX512VNNI__)
  void above(const int32_t* limits, uint8_t* bits) const {
    const __mmask16 mask = _mm512_cmpge_epi32_mask(all, _mm512_loadu_si512(limits));
    std::memcpy(bits, &mask, sizeof mask);
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    const auto mask = static_cast<__mmask16>(there < NEURONS ? (1 << there) - 1 : -1);
    _mm512_mask_storeu_epi32(out, mask, _mm512_add_epi32(all, _mm512_loadu_si512(offsets)));
  }
#else
  void above(const int32_t* limits, uint8_t* bits) const {
    int32_t sums[NEURONS];
    std::memcpy(sums, &all, sizeof sums);
    at_least(sums, limits, bits);
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    int32_t sums[NEURONS];
    std::memcpy(sums, &all, sizeof sums);
    for (int64_t i = 0; i < std::min<int64_t>(NEURONS, there); i++) out[i] = sums[i] + offsets[i];
  }
#endif
};

#if !defined(__AVX2__)
// The same for compilers: products and some of their sums have 16 bits. In each vector, neurons of
// its first half are in the lower halves of 32-bit integers, those of its second half in the upper.
struct ShortProducts {
  using Input = int16_t;
  using Limit = int32_t;
  static constexpr int NEURONS = 16, STEP = 1;
  static constexpr int64_t UNTIL_FLUSH = 0;  // that of the layer
  static constexpr int VECTORS = 2 * NEURONS / VECTOR;
  Vector<int16_t> some[VECTORS] = {};
  Vector<int32_t> all[2 * VECTORS] = {};

  void add(const int16_t* weights, const int16_t* in) {
    const auto* vectors = reinterpret_cast<const Vector<int16_t>*>(weights);
    for (int i = 0; i < VECTORS; i++) some[i] += vectors[i] * *in;
  }
  void flush() {
    for (int i = 0; i < VECTORS; i++) {
      const auto both = reinterpret_cast<Vector<int32_t>>(some[i]);
      all[2 * i] += both << 16 >> 16;
      all[2 * i + 1] += both >> 16;
      some[i] ^= some[i];
    }
  }
  void above(const int32_t* limits, uint8_t* bits) const {
    Vector<int32_t> sums[2 * VECTORS];
    for (int i = 0; i < 2 * VECTORS; i++) sums[i] = all[i];  // `some` may stay in registers
    at_least(reinterpret_cast<const int32_t*>(sums), limits, bits);
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    Vector<int32_t> sums[2 * VECTORS];
    for (int i = 0; i < 2 * VECTORS; i++) sums[i] = all[i];
    const auto* sum = reinterpret_cast<const int32_t*>(sums);
    for (int64_t i = 0; i < std::min<int64_t>(NEURONS, there); i++) out[i] = sum[i] + offsets[i];
  }
};
#endif

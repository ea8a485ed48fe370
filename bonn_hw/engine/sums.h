// SPDX-License-Identifier: BSD-3-Clause
// The inner loops of matrix products, with the vector instructions that there are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

// Sums for `NEURONS` neurons, a vector of weights and `STEP` inputs at a time.
//
// flush: at least once in `UNTIL_FLUSH` calls of add, and after the last one.
// above: a bit for each neuron: whether its sum is large enough for +1, by its constant.
// store: the sums of the first `there` neurons, each with its constant.

// Of bits: how many differ. above: the constant is the most that may; store: from the constant, each
// takes 2.
#if defined(__AVX512VPOPCNTDQ__)
struct Differences {
  __m512i sums = _mm512_setzero_si512();

  void add(const uint64_t* weights, const uint64_t* in) {
    const auto bits = static_cast<int64_t>(*in);
    const __m512i both = _mm512_xor_si512(_mm512_load_si512(weights), _mm512_set1_epi64(bits));
    sums = _mm512_add_epi64(sums, _mm512_popcnt_epi64(both));
  }
  void flush() {}
  __m256i counts() const { return _mm512_cvtepi64_epi32(sums); }
#elif defined(__AVX2__)
struct Differences {  // bytes are counted by nibbles, and summed up before one is full
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
#else
struct Differences {  // bytes are counted in place: the least processors have no instruction for it
  uint64_t bytes[8] = {};
  int32_t sums[8] = {};

  void add(const uint64_t* weights, const uint64_t* in) {
    for (int i = 0; i < NEURONS; i++) {
      uint64_t x = weights[i] ^ *in;
      x -= (x >> 1) & 0x5555555555555555;
      x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
      bytes[i] += (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    }
  }
  void flush() {
    for (int i = 0; i < NEURONS; i++) {
      const uint64_t pairs = (bytes[i] & 0x00ff00ff00ff00ff) + ((bytes[i] >> 8) & 0x00ff00ff00ff00ff);
      sums[i] += static_cast<int32_t>((pairs * 0x0001000100010001) >> 48);
      bytes[i] = 0;
    }
  }
#endif
  using Input = uint64_t;
  using Mask = uint8_t;
  static constexpr int NEURONS = 8, STEP = 1;
  static constexpr int64_t UNTIL_FLUSH = 31;  // 31 * 8 < 256

#if defined(__AVX2__)
  Mask above(const int32_t* limits) const {
    const __m256i limit = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(limits));
    const __m256i more = _mm256_cmpgt_epi32(counts(), limit);
    return static_cast<Mask>(~_mm256_movemask_ps(_mm256_castsi256_ps(more)));
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
#else
  Mask above(const int32_t* limits) const {
    int bits = 0;
    for (int i = 0; i < NEURONS; i++) bits |= (sums[i] <= limits[i]) << i;
    return static_cast<Mask>(bits);
  }
  void store(const int32_t* largest, int64_t there, int32_t* out) const {
    for (int64_t i = 0; i < std::min<int64_t>(NEURONS, there); i++)
      out[i] = largest[i] - 2 * sums[i];
  }
#endif
};

// Of products of 16-bit integers, in pairs. above: the constant is the least; store: it is added.
struct Products {
  using Input = int16_t;
  using Mask = uint16_t;
  static constexpr int NEURONS = 16, STEP = 2;
  static constexpr int64_t UNTIL_FLUSH = INT64_MAX;

  void flush() {}
#if defined(__AVX512VNNI__)
  __m512i all = _mm512_setzero_si512();

  void add(const int16_t* weights, const int16_t* in) {
    int32_t pair;
    std::memcpy(&pair, in, sizeof pair);
    all = _mm512_dpwssd_epi32(all, _mm512_load_si512(weights), _mm512_set1_epi32(pair));
  }
  Mask above(const int32_t* limits) const {
    return _mm512_cmpge_epi32_mask(all, _mm512_loadu_si512(limits));
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    const auto mask = static_cast<__mmask16>(there < NEURONS ? (1 << there) - 1 : -1);
    _mm512_mask_storeu_epi32(out, mask, _mm512_add_epi32(all, _mm512_loadu_si512(offsets)));
  }
#elif defined(__AVX2__)
  __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();

  void add(const int16_t* weights, const int16_t* in) {
    int32_t pair;
    std::memcpy(&pair, in, sizeof pair);
    const auto* w = reinterpret_cast<const __m256i*>(weights);
    const __m256i both = _mm256_set1_epi32(pair);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_load_si256(w), both));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_load_si256(w + 1), both));
  }
  Mask above(const int32_t* limits) const {
    const auto* limit = reinterpret_cast<const __m256i*>(limits);
    const auto less = [](__m256i sums, const __m256i* most) {
      const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256(most), sums);
      return _mm256_movemask_ps(_mm256_castsi256_ps(below));
    };
    return static_cast<Mask>(~(less(low, limit) | less(high, limit + 1) << 8));
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    int32_t all[NEURONS];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(all), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(all + 8), high);
    for (int64_t i = 0; i < std::min<int64_t>(NEURONS, there); i++) out[i] = all[i] + offsets[i];
  }
#else
  int32_t all[NEURONS] = {};

  void add(const int16_t* weights, const int16_t* in) {
    for (int i = 0; i < NEURONS; i++)
      all[i] += in[0] * weights[2 * i] + in[1] * weights[2 * i + 1];
  }
  Mask above(const int32_t* limits) const {
    int bits = 0;
    for (int i = 0; i < NEURONS; i++) bits |= (all[i] >= limits[i]) << i;
    return static_cast<Mask>(bits);
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    for (int64_t i = 0; i < std::min<int64_t>(NEURONS, there); i++) out[i] = all[i] + offsets[i];
  }
#endif
};

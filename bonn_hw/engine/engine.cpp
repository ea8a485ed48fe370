// SPDX-License-Identifier: BSD-3-Clause
// Layers of the integer graph on packed bits and 32-bit integers. Compiled for the machine that it
// runs on: AVX-512 with VPOPCNTDQ, AVX2, or plain C++, whichever there is.
//
// A tensor of bits has a word of 64 channels after the other for each pixel, channel 0 in bit 0; bits
// beyond the last channel are 0. 1 is +1 and 0 is -1.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

struct Window {  // of a convolution or pool, without padding
  int64_t height, width, depth;  // of a frame; depth in words (bits) or channels (integers)
  int64_t rows, columns;         // of the kernel
  int64_t down, right;           // strides
  int64_t out_height, out_width;

  int64_t pixels() const { return out_height * out_width; }
};

namespace {

// The windows of all frames, in the order of their pixels: counting costs less than dividing.
struct Place {
  const Window& window;
  int64_t pixel = 0, origin = 0;  // of the frame; of the window
  int64_t column = 0, line = 0, frame = 0;  // the origins of this line and this frame

  void next() {
    pixel++;
    origin += window.right * window.depth;
    if (++column < window.out_width) return;
    column = 0;
    line += window.down * window.width * window.depth;
    if (pixel == window.pixels()) {
      pixel = 0;
      line = frame += window.height * window.width * window.depth;
    }
    origin = line;
  }
};

constexpr int OUTPUTS = 8;  // neurons at a time: a byte of packed outputs
constexpr int PIXELS = 4;   // windows at a time, for which a weight is loaded once

// Numbers of bits that differ, for `OUTPUTS` neurons.
#if defined(__AVX512VPOPCNTDQ__)
struct Differences {
  __m512i sums = _mm512_setzero_si512();

  void add(const uint64_t* weights, uint64_t bits) {
    const __m512i both = _mm512_xor_si512(_mm512_load_si512(weights), _mm512_set1_epi64(bits));
    sums = _mm512_add_epi64(sums, _mm512_popcnt_epi64(both));
  }
  void flush() {}
  __m256i counts() const { return _mm512_cvtepi64_epi32(sums); }
};
constexpr int64_t UNTIL_FLUSH = INT64_MAX;
#elif defined(__AVX2__)
struct Differences {  // bytes are counted by nibbles, and summed up before one is full
  __m256i bytes[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i sums = _mm256_setzero_si256();

  void add(const uint64_t* weights, uint64_t bits) {
    const __m256i counts = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i all = _mm256_set1_epi64x(static_cast<int64_t>(bits));
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
};
constexpr int64_t UNTIL_FLUSH = 31;  // 31 * 8 < 256
#else
struct Differences {
  int32_t sums[OUTPUTS] = {};

  void add(const uint64_t* weights, uint64_t bits) {
    for (int i = 0; i < OUTPUTS; i++) sums[i] += __builtin_popcountll(weights[i] ^ bits);
  }
  void flush() {}
};
constexpr int64_t UNTIL_FLUSH = INT64_MAX;
#endif

// A bit for each neuron: whether at most so many bits differ.
uint8_t at_most(const Differences& found, const int32_t* limits) {
#if defined(__AVX2__)
  const __m256i limit = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(limits));
  const __m256i more = _mm256_cmpgt_epi32(found.counts(), limit);
  return static_cast<uint8_t>(~_mm256_movemask_ps(_mm256_castsi256_ps(more)));
#else
  int bits = 0;
  for (int i = 0; i < OUTPUTS; i++) bits |= (found.sums[i] <= limits[i]) << i;
  return static_cast<uint8_t>(bits);
#endif
}

// The sums of the first `there` neurons: each bit that differs takes 2 from the largest.
void store_sums(const Differences& found, const int32_t* largest, int64_t there, int32_t* out) {
#if defined(__AVX2__)
  const __m256i most = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(largest));
  const __m256i sums = _mm256_sub_epi32(most, _mm256_slli_epi32(found.counts(), 1));
  if (there >= OUTPUTS) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), sums);
    return;
  }
  int32_t all[OUTPUTS];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(all), sums);
  std::copy_n(all, there, out);
#else
  for (int64_t i = 0; i < std::min<int64_t>(OUTPUTS, there); i++)
    out[i] = largest[i] - 2 * found.sums[i];
#endif
}

void differences(const Window& window, const uint64_t* const* origins, const uint64_t* weights,
                 Differences* found) {
  const int64_t line = window.columns * window.depth, next = window.width * window.depth;
  int64_t left = UNTIL_FLUSH;
  for (int64_t row = 0; row < window.rows; row++) {
    for (int64_t word = 0; word < line; word++, weights += OUTPUTS) {
#pragma GCC unroll 4
      for (int p = 0; p < PIXELS; p++) found[p].add(weights, origins[p][row * next + word]);
      if (--left == 0) {
        for (int p = 0; p < PIXELS; p++) found[p].flush();
        left = UNTIL_FLUSH;
      }
    }
  }
  for (int p = 0; p < PIXELS; p++) found[p].flush();
}

constexpr int SUMS = 16;  // neurons at a time, of integers: two bytes of packed outputs

// Sums for `SUMS` neurons of the products of pairs of 16-bit integers.
#if defined(__AVX512VNNI__)
struct Sums {
  __m512i all = _mm512_setzero_si512();

  void add(const int16_t* weights, int32_t pair) {
    all = _mm512_dpwssd_epi32(all, _mm512_load_si512(weights), _mm512_set1_epi32(pair));
  }
  // A bit for each neuron: whether its sum is at least a limit.
  uint16_t at_least(const int32_t* limits) const {
    return _mm512_cmpge_epi32_mask(all, _mm512_loadu_si512(limits));
  }
  // The first `there` sums, each with an offset.
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    const auto mask = static_cast<__mmask16>(there < SUMS ? (1 << there) - 1 : -1);
    _mm512_mask_storeu_epi32(out, mask, _mm512_add_epi32(all, _mm512_loadu_si512(offsets)));
  }
};
#elif defined(__AVX2__)
struct Sums {
  __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();

  void add(const int16_t* weights, int32_t pair) {
    const auto* w = reinterpret_cast<const __m256i*>(weights);
    const __m256i both = _mm256_set1_epi32(pair);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_load_si256(w), both));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_load_si256(w + 1), both));
  }
  uint16_t at_least(const int32_t* limits) const {
    const auto* limit = reinterpret_cast<const __m256i*>(limits);
    const auto less = [](__m256i sums, const __m256i* most) {
      const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256(most), sums);
      return _mm256_movemask_ps(_mm256_castsi256_ps(below));
    };
    return static_cast<uint16_t>(~(less(low, limit) | less(high, limit + 1) << 8));
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    int32_t all[SUMS];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(all), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(all + 8), high);
    for (int64_t i = 0; i < std::min<int64_t>(SUMS, there); i++) out[i] = all[i] + offsets[i];
  }
};
#else
struct Sums {
  int32_t all[SUMS] = {};

  void add(const int16_t* weights, int32_t pair) {
    int16_t values[2];
    std::memcpy(values, &pair, sizeof pair);
    for (int i = 0; i < SUMS; i++)
      all[i] += values[0] * weights[2 * i] + values[1] * weights[2 * i + 1];
  }
  uint16_t at_least(const int32_t* limits) const {
    int bits = 0;
    for (int i = 0; i < SUMS; i++) bits |= (all[i] >= limits[i]) << i;
    return static_cast<uint16_t>(bits);
  }
  void store(const int32_t* offsets, int64_t there, int32_t* out) const {
    for (int64_t i = 0; i < std::min<int64_t>(SUMS, there); i++) out[i] = all[i] + offsets[i];
  }
};
#endif

void sums_of_products(const Window& window, const int16_t* const* origins, const int16_t* weights,
                      Sums* sums) {
  const int64_t line = window.columns * window.depth, next = window.width * window.depth;
  for (int64_t row = 0; row < window.rows; row++) {
    for (int64_t at = 0; at < line; at += 2, weights += 2 * SUMS) {
#pragma GCC unroll 4
      for (int p = 0; p < PIXELS; p++) {
        int32_t pair;
        std::memcpy(&pair, origins[p] + row * next + at, sizeof pair);
        sums[p].add(weights, pair);
      }
    }
  }
}

// A line for each channel, rounded down or to even, and clipped. `Sum` holds every sum.
template <typename Sum>
void lines(const int32_t* in, int64_t pixels, int64_t channels, const Sum* slopes,
           const Sum* offsets, int shift, Sum low, Sum high, int32_t* out) {
  for (int64_t pixel = 0; pixel < pixels; pixel++, in += channels, out += channels)
    for (int64_t i = 0; i < channels; i++) {
      const Sum step = (slopes[i] * in[i] + offsets[i]) >> shift;
      out[i] = static_cast<int32_t>(std::min(std::max(step, low), high));
    }
}

template <typename Sum>
void lines_to_even(const int32_t* in, int64_t pixels, int64_t channels, const Sum* slopes,
                   const Sum* offsets, int shift, Sum low, Sum high, int32_t* out) {
  const Sum fraction = (Sum{1} << shift) - 1;
  for (int64_t pixel = 0; pixel < pixels; pixel++, in += channels, out += channels)
    for (int64_t i = 0; i < channels; i++) {
      const Sum sum = slopes[i] * in[i] + offsets[i];
      const Sum step = (sum >> shift) & ~static_cast<Sum>((sum & fraction) == 0);
      out[i] = static_cast<int32_t>(std::min(std::max(step, low), high));
    }
}

}  // namespace

extern "C" {

// The instructions that this was compiled for.
const char* instructions() {
#if defined(__AVX512VPOPCNTDQ__)
  return "AVX-512 VPOPCNTDQ";
#elif defined(__AVX2__)
  return "AVX2";
#else
  return "plain C++";
#endif
}

// XNOR-popcount convolution; a matrix product is one of 1x1 frames.
//
// weights: [groups of 8 neurons][words of a window][8], aligned to 64 bytes.
// constants: [border classes][8 * groups]. With `out_bits`: the most bits that may differ where the
// output is +1; otherwise the number to which -2 for each bit that differs is added.
// classes: border class of each pixel of a frame.
void bit_convolution(const Window* window, const uint64_t* in, int64_t frames,
                     const uint64_t* weights, const int32_t* constants, const int32_t* classes,
                     int64_t outputs, uint64_t* out_bits, int32_t* out_integers) {
  const int64_t words = window->rows * window->columns * window->depth;
  const int64_t groups = (outputs + OUTPUTS - 1) / OUTPUTS, total = frames * window->pixels();
  const int64_t out_bytes = (outputs + 63) / 64 * 8;
  Place place{*window};
  for (int64_t first = 0; first < total; first += PIXELS) {
    const int used = static_cast<int>(std::min<int64_t>(PIXELS, total - first));
    const uint64_t* origins[PIXELS];
    const int32_t* constant[PIXELS];
    for (int p = 0; p < PIXELS; p++) {
      origins[p] = in + place.origin;
      constant[p] = constants + classes[place.pixel] * groups * OUTPUTS;
      if (p + 1 < used) place.next();
    }
    for (int64_t group = 0; group < groups; group++) {
      Differences found[PIXELS];
      differences(*window, origins, weights + group * words * OUTPUTS, found);
      for (int p = 0; p < used; p++) {
        const int32_t* own = constant[p] + group * OUTPUTS;
        if (out_bits) {
          auto* bytes = reinterpret_cast<uint8_t*>(out_bits) + (first + p) * out_bytes;
          bytes[group] = at_most(found[p], own);
        } else {
          const int64_t from = group * OUTPUTS;
          store_sums(found[p], own, outputs - from, out_integers + (first + p) * outputs + from);
        }
      }
    }
    place.next();
  }
}

// The bits of `columns` neighbouring pixels, which have fewer than 64 channels, without gaps: a row
// of each window, every `right` pixels.
void join_columns(const uint64_t* in, int64_t lines, int64_t width, int64_t channels,
                  int64_t columns, int64_t right, int64_t out_width, uint64_t* out) {
  const int64_t words = (columns * channels + 63) / 64;
  for (int64_t line = 0; line < lines; line++, in += width) {
    for (int64_t x = 0; x < out_width; x++, out += words) {
      std::fill(out, out + words, 0);
      for (int64_t column = 0; column < columns; column++) {
        const uint64_t bits = in[x * right + column];
        const int64_t word = column * channels / 64, shift = column * channels % 64;
        out[word] |= bits << shift;
        if (shift + channels > 64) out[word + 1] |= bits >> (64 - shift);
      }
    }
  }
}

// Convolution of integers; sums are below 2^31. A pair may begin at the last element of a line: its
// weight for the next one is 0, and an element behind the frames can be read.
//
// weights: [groups of 16 neurons][rows][pairs of a line][16][2], aligned to 64 bytes.
// constants: [border classes][16 * groups]. With `out_bits`: the least sum of +1; otherwise what is
// added to sums.
// classes: border class of each pixel of a frame.
void integer_convolution(const Window* window, const int16_t* in, int64_t frames,
                         const int16_t* weights, const int32_t* constants, const int32_t* classes,
                         int64_t outputs, uint64_t* out_bits, int32_t* out_integers) {
  const int64_t pairs = window->rows * ((window->columns * window->depth + 1) / 2);
  const int64_t groups = (outputs + SUMS - 1) / SUMS, total = frames * window->pixels();
  const int64_t out_shorts = (outputs + 63) / 64 * 4;
  Place place{*window};
  for (int64_t first = 0; first < total; first += PIXELS) {
    const int used = static_cast<int>(std::min<int64_t>(PIXELS, total - first));
    const int16_t* origins[PIXELS];
    const int32_t* constant[PIXELS];
    for (int p = 0; p < PIXELS; p++) {
      origins[p] = in + place.origin;
      constant[p] = constants + classes[place.pixel] * groups * SUMS;
      if (p + 1 < used) place.next();
    }
    for (int64_t group = 0; group < groups; group++) {
      Sums sums[PIXELS];
      sums_of_products(*window, origins, weights + group * pairs * 2 * SUMS, sums);
      for (int p = 0; p < used; p++) {
        const int32_t* own = constant[p] + group * SUMS;
        const int64_t from = group * SUMS;
        if (out_bits) {
          auto* shorts = reinterpret_cast<uint16_t*>(out_bits) + (first + p) * out_shorts;
          shorts[group] = sums[p].at_least(own);
        } else {
          sums[p].store(own, outputs - from, out_integers + (first + p) * outputs + from);
        }
      }
    }
    place.next();
  }
}

// Bits of integers: +1 where a value is at least the threshold of its border class and channel, or
// below it where its bit in `flips`, words of a pixel, is set.
void compare(const int32_t* in, int64_t frames, int64_t pixels, int64_t channels,
             const int32_t* thresholds, const int32_t* classes, const uint64_t* flips,
             uint64_t* out) {
  for (int64_t frame = 0; frame < frames; frame++) {
    for (int64_t pixel = 0; pixel < pixels; pixel++, in += channels) {
      const int32_t* threshold = thresholds + classes[pixel] * channels;
      for (int64_t from = 0; from < channels; from += 64) {
        const int64_t there = std::min<int64_t>(64, channels - from);
        uint64_t word = 0;
        int64_t i = 0;
#if defined(__AVX2__)
        for (; i + 8 <= there; i += 8) {
          const auto* value = reinterpret_cast<const __m256i*>(in + from + i);
          const auto* own = reinterpret_cast<const __m256i*>(threshold + from + i);
          const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256(own), _mm256_loadu_si256(value));
          const int mask = ~_mm256_movemask_ps(_mm256_castsi256_ps(below)) & 255;
          word |= static_cast<uint64_t>(mask) << i;
        }
#endif
        for (; i < there; i++) word |= static_cast<uint64_t>(in[from + i] >= threshold[from + i]) << i;
        *out++ = word ^ flips[from / 64];
      }
    }
  }
}

// A line for each channel, in steps; `narrow` where all sums are below 2^31.
void line(const int32_t* in, int64_t pixels, int64_t channels, const int64_t* slopes,
                const int64_t* offsets, int64_t shift, int64_t to_even, int64_t narrow, int64_t low,
                int64_t high, int32_t* out) {
  const int by = static_cast<int>(shift);
  if (!narrow) {
    const auto work = to_even ? lines_to_even<int64_t> : lines<int64_t>;
    work(in, pixels, channels, slopes, offsets, by, low, high, out);
    return;
  }
  const std::vector<int32_t> slope(slopes, slopes + channels), offset(offsets, offsets + channels);
  const auto work = to_even ? lines_to_even<int32_t> : lines<int32_t>;
  work(in, pixels, channels, slope.data(), offset.data(), by, static_cast<int32_t>(low),
       static_cast<int32_t>(high), out);
}

// A function of the value for each channel: table[channel][value - low].
void look_up(const int32_t* in, int64_t pixels, int64_t channels, int64_t low, int64_t range,
             const int32_t* table, int32_t* out) {
  for (int64_t pixel = 0; pixel < pixels; pixel++)
    for (int64_t channel = 0; channel < channels; channel++)
      *out++ = table[channel * range + *in++ - low];
}

// Maximum of bits in each window.
void bit_pool(const Window* window, const uint64_t* in, int64_t frames, uint64_t* out) {
  const int64_t depth = window->depth, next = window->width * depth;
  Place place{*window};
  const int64_t total = frames * window->pixels();
  for (int64_t done = 0; done < total; done++, place.next(), out += depth) {
    const uint64_t* origin = in + place.origin;
    for (int64_t word = 0; word < depth; word++) {
      uint64_t any = 0;
      for (int64_t row = 0; row < window->rows; row++)
        for (int64_t column = 0; column < window->columns; column++)
          any |= origin[row * next + column * depth + word];
      out[word] = any;
    }
  }
}

// Sums of integers over each window.
void total_pool(const Window* window, const int32_t* in, int64_t frames, int32_t* out) {
  const int64_t depth = window->depth, next = window->width * depth;
  Place place{*window};
  const int64_t total = frames * window->pixels();
  for (int64_t done = 0; done < total; done++, place.next(), out += depth) {
    const int32_t* origin = in + place.origin;
    std::fill(out, out + depth, 0);
    for (int64_t row = 0; row < window->rows; row++)
      for (int64_t column = 0; column < window->columns; column++)
        for (int64_t channel = 0; channel < depth; channel++)
          out[channel] += origin[row * next + column * depth + channel];
  }
}
}

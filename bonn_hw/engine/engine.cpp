// SPDX-License-Identifier: BSD-3-Clause
// Layers of the integer graph on packed bits and 32-bit integers. Compiled for the machine that it
// runs on: AVX-512 with VPOPCNTDQ, AVX2, or plain C++, whichever there is.
//
// A tensor of bits has a word of 64 channels after the other for each pixel, channel 0 in bit 0; bits
// beyond the last channel are 0. 1 is +1 and 0 is -1.
#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "layers.h"

// What is done with a tile: some pixels of 32-bit integers, which stay in the cache nearest to the
// core. Tiles are numbered; `left`, `right` and `out` are such numbers.
enum Kind : int64_t { LOAD, SUMS, LINE, WIDE_LINE, TABLE, ADD, COMPARE, STORE };

struct Operation {
  Kind kind;
  int64_t left, right, out;
  int64_t shift, even, low, high;
  const void *first, *second;  // constants; those of an element are repeated to fill a tile
  void* memory;                // of a tensor
  int64_t bytes;               // of its elements
};

namespace {

// Apply a function to the elements of a tensor, whatever their size.
template <typename Function>
void typed(void* memory, int64_t bytes, Function function) {
  if (bytes == 1) function(static_cast<int8_t*>(memory));
  else if (bytes == 2) function(static_cast<int16_t*>(memory));
  else function(static_cast<int32_t*>(memory));
}

// Bits of a tile: +1 where a value is at least its threshold, or below it where its bit in `flips`,
// words of a pixel, is set.
void compare(const int32_t* in, int64_t pixels, int64_t channels, const int32_t* thresholds,
             const uint64_t* flips, uint64_t* out) {
  for (int64_t pixel = 0; pixel < pixels; pixel++, in += channels) {
    for (int64_t from = 0; from < channels; from += 64) {
      const int64_t there = std::min<int64_t>(64, channels - from);
      uint64_t word = 0;
      int64_t i = 0;
#if defined(__AVX2__)
      for (; i + 8 <= there; i += 8) {
        const auto* value = reinterpret_cast<const __m256i*>(in + from + i);
        const auto* own = reinterpret_cast<const __m256i*>(thresholds + from + i);
        const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256(own), _mm256_loadu_si256(value));
        const int mask = ~_mm256_movemask_ps(_mm256_castsi256_ps(below)) & 255;
        word |= static_cast<uint64_t>(mask) << i;
      }
#endif
      for (; i < there; i++) word |= static_cast<uint64_t>(in[from + i] >= thresholds[from + i]) << i;
      *out++ = word ^ flips[from / 64];
    }
  }
}

// A line, in sums of a type that holds them. `even`: the last bit of a step is cleared where nothing
// is dropped.
template <typename Sum>
void line(const Operation& one, int64_t count, const int32_t* in, int32_t* out) {
  const auto *slopes = static_cast<const Sum*>(one.first), *offsets = static_cast<const Sum*>(one.second);
  const auto low = static_cast<Sum>(one.low), high = static_cast<Sum>(one.high);
  const auto shift = static_cast<int>(one.shift);
  if (!one.even) {
    for (int64_t i = 0; i < count; i++) {
      const Sum step = (slopes[i] * in[i] + offsets[i]) >> shift;
      out[i] = static_cast<int32_t>(std::min(std::max(step, low), high));
    }
    return;
  }
  const Sum fraction = (Sum{1} << shift) - 1;
  for (int64_t i = 0; i < count; i++) {
    const Sum sum = slopes[i] * in[i] + offsets[i];
    const Sum step = (sum >> shift) & ~static_cast<Sum>((sum & fraction) == 0);
    out[i] = static_cast<int32_t>(std::min(std::max(step, low), high));
  }
}

// A function of each value: that of element i begins at table[bases[i]] with value 0.
void look_up(const int32_t* in, int64_t count, const int32_t* bases, const int32_t* table,
             int32_t* out) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= count; i += 16) {
    const __m512i at = _mm512_add_epi32(_mm512_loadu_si512(bases + i), _mm512_loadu_si512(in + i));
    _mm512_storeu_si512(out + i, _mm512_i32gather_epi32(at, table, 4));
  }
#endif
  for (; i < count; i++) out[i] = table[bases[i] + in[i]];
}

// One operation on the tile that begins at pixel `from` of the tensors.
void apply(const Operation& one, int64_t from, int64_t pixels, int64_t channels, int32_t* left,
           const int32_t* right, int32_t* out) {
  const int64_t count = pixels * channels, start = from * channels;
  const auto* first = static_cast<const int32_t*>(one.first);
  switch (one.kind) {
    case LOAD:
      typed(one.memory, one.bytes, [&](auto* at) { std::copy_n(at + start, count, out); });
      break;
    case SUMS:
      convolution(*static_cast<const Layer*>(one.first), one.memory, from, pixels, {nullptr, out});
      break;
    case LINE:
      line<int32_t>(one, count, left, out);
      break;
    case WIDE_LINE:
      line<int64_t>(one, count, left, out);
      break;
    case TABLE:
      look_up(left, count, first, static_cast<const int32_t*>(one.second), out);
      break;
    case ADD:
      for (int64_t i = 0; i < count; i++) out[i] = left[i] + right[i];
      break;
    case COMPARE:
      compare(left, pixels, channels, first, static_cast<const uint64_t*>(one.second),
              static_cast<uint64_t*>(one.memory) + from * ((channels + 63) / 64));
      break;
    case STORE:
      typed(one.memory, one.bytes, [&](auto* at) {
        using Element = std::remove_pointer_t<decltype(at)>;
        for (int64_t i = 0; i < count; i++) at[start + i] = static_cast<Element>(left[i]);
      });
      break;
  }
}

}  // namespace

extern "C" {

// How weights lie in memory: neurons of a group of bits, and whether their weights are tables; inputs
// of a step of integers.
struct Layout {
  int64_t neurons, tables, step;
};
#if defined(__AVX2__)
extern const Layout layout{Differences::NEURONS, 0, Products::STEP};
#else
extern const Layout layout{TableSums::NEURONS, 1, Products::STEP};
#endif

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

// All pixels of a layer that compares.
void bits_of_layer(const Layer* layer, const void* in, int64_t frames, uint64_t* out) {
  const Results results{reinterpret_cast<uint8_t*>(out), nullptr};
  convolution(*layer, in, 0, frames * layer->window.pixels(), results);
}

// Operations on all pixels of tensors that have the same shape, `step` of them at a time.
void tiles(const Operation* operations, int64_t count, int64_t slots, int64_t pixels,
           int64_t channels, int64_t step) {
  std::vector<int32_t> room(slots * step * channels);
  const auto slot = [&](int64_t number) { return room.data() + number * step * channels; };
  for (int64_t from = 0; from < pixels; from += step) {
    for (int64_t i = 0; i < count; i++) {
      const Operation& one = operations[i];
      const int64_t some = std::min(step, pixels - from);
      apply(one, from, some, channels, slot(one.left), slot(one.right), slot(one.out));
    }
  }
}

// The bits of `columns` neighbouring pixels, which have fewer than 64 channels, without gaps: a row
// of each window, every `right` pixels.
void join_columns(const uint64_t* in, int64_t lines, int64_t width, int64_t channels,
                  int64_t columns, int64_t right, int64_t out_width, uint64_t* out) {
  const int64_t words = (columns * channels + 63) / 64;
  std::fill(out, out + lines * out_width * words, 0);
  for (int64_t line = 0; line < lines; line++, in += width, out += out_width * words) {
    for (int64_t column = 0; column < columns; column++) {
      const int64_t word = column * channels / 64, shift = column * channels % 64;
      for (int64_t x = 0; x < out_width; x++) out[x * words + word] |= in[x * right + column] << shift;
      if (shift + channels <= 64) continue;
      for (int64_t x = 0; x < out_width; x++)
        out[x * words + word + 1] |= in[x * right + column] >> (64 - shift);
    }
  }
}

// Maximum of bits in each window.
void bit_pool(const Window* window, const uint64_t* in, int64_t frames, uint64_t* out) {
  const int64_t depth = window->depth, next = window->width * depth;
  Place place(*window, 0);
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

// Sums over each window of integers, which have so many bytes.
void total_pool(const Window* window, void* in, int64_t bytes, int64_t frames, int32_t* out) {
  const int64_t depth = window->depth, next = window->width * depth;
  typed(in, bytes, [&](const auto* values) {
    Place place(*window, 0);
    const int64_t total = frames * window->pixels();
    int32_t* sums = out;
    for (int64_t done = 0; done < total; done++, place.next(), sums += depth) {
      std::fill(sums, sums + depth, 0);
      for (int64_t row = 0; row < window->rows; row++)
        for (int64_t column = 0; column < window->columns; column++)
          for (int64_t channel = 0; channel < depth; channel++)
            sums[channel] += values[place.origin + row * next + column * depth + channel];
    }
  });
}
}

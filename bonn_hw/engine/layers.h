// SPDX-License-Identifier: BSD-3-Clause
// Convolutions and matrix products: a loop over windows, for each kind of sums.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sums.h"
#include "tables.h"

struct Window {  // of a convolution or pool, without padding
  int64_t height, width, depth;  // of a frame; depth in words (bits) or channels (integers)
  int64_t rows, columns;         // of the kernel
  int64_t down, right;           // strides
  int64_t out_height, out_width;

  int64_t pixels() const { return out_height * out_width; }
};

// A convolution without padding; a matrix product is one of 1x1 frames.
//
// weights, aligned to 64 bytes:
//   of bits: [groups of NEURONS][words of a window][NEURONS], or tables:
//     [rows of neurons][words of a window][NIBBLES][ENTRIES][neurons of a row]
//   of integers: [groups of NEURONS][steps of a window][NEURONS][STEP]. A line of a window may end
//     within a step: the weights behind it are 0, and an element behind the frames can be read.
// constants: [border classes][groups of NEURONS]: those of the sums, in sums.h and tables.h.
// classes: border class of each pixel of a frame.
struct Layer {
  Window window;
  int64_t channels;  // of the input
  int64_t of_bits;
  int64_t row;          // neurons of a row of a table
  int64_t until_flush;  // steps of products in 16 bits; 0: 32 bits
  int64_t compares, outputs;
  const void *weights, *constants;
  const int32_t* classes;
};

namespace {

// The windows of all frames, in the order of their pixels: counting costs less than dividing.
struct Place {
  const Window& window;
  int64_t pixel, origin;  // of the frame; of the window
  int64_t column, line, frame;  // the origins of this line and this frame

  Place(const Window& of, int64_t first) : window(of) {
    const int64_t row = first % of.pixels() / of.out_width;
    pixel = first % of.pixels();
    column = pixel % of.out_width;
    frame = first / of.pixels() * of.height * of.width * of.depth;
    line = frame + row * of.down * of.width * of.depth;
    origin = line + column * of.right * of.depth;
  }

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

// Results of a layer: packed bits, or integers, from the pixel on that is computed next.
struct Results {
  uint8_t* bits;
  int32_t* integers;
};

// Some windows, whose results are written next.
template <typename Input, int MOST>
struct Tile {
  const Layer& layer;
  int used;
  Results out;
  const Input* origins[MOST];
  int64_t constants[MOST];  // where those of its border class begin

  void take(Place& place, const void* in, int64_t neurons) {
    for (int p = 0; p < MOST; p++) {
      origins[p] = static_cast<const Input*>(in) + place.origin;
      constants[p] = layer.classes[place.pixel] * neurons;
      if (p + 1 < used) place.next();
    }
    place.next();
  }

  // The sums of a group of neurons for one of the windows.
  template <typename Sums>
  void write(const Sums& sums, int window, int64_t group) const {
    const int64_t from = group * Sums::NEURONS, at = constants[window] + from;
    if (layer.compares) {
      const auto* limits = static_cast<const typename Sums::Limit*>(layer.constants) + at;
      sums.above(limits, out.bits + window * bytes() + from / 8);
    } else {
      const auto* offsets = static_cast<const int32_t*>(layer.constants) + at;
      sums.store(offsets, layer.outputs - from, out.integers + window * layer.outputs + from);
    }
  }

  void next() {
    if (layer.compares) out.bits += MOST * bytes();
    else out.integers += MOST * layer.outputs;
  }

  int64_t bytes() const { return (layer.outputs + 63) / 64 * 8; }
};

constexpr int WINDOWS = 4;  // at a time, for which a vector of weights is loaded once
#if defined(__AVX512F__)
constexpr int GROUPS = 2;  // of neurons at a time, for which an input is loaded once
#else
constexpr int GROUPS = 1;  // for more there are not enough registers
#endif

// Sums of some groups of neurons in registers.
template <typename Sums, int COUNT, typename Tile>
inline void neurons(const Tile& tile, int64_t group) {
  const Window& window = tile.layer.window;
  const int64_t line = window.columns * window.depth, next = window.width * window.depth;
  const int64_t vector = Sums::NEURONS * Sums::STEP;
  const int64_t all = window.rows * ((line + Sums::STEP - 1) / Sums::STEP) * vector;
  const auto* weights = static_cast<const typename Sums::Input*>(tile.layer.weights) + group * all;
  Sums sums[COUNT][WINDOWS];
  const int64_t most = Sums::UNTIL_FLUSH ? Sums::UNTIL_FLUSH : tile.layer.until_flush;
  int64_t left = most;
  const auto flush = [&] {
#pragma GCC unroll 2
    for (int g = 0; g < COUNT; g++)
#pragma GCC unroll 4
      for (int p = 0; p < WINDOWS; p++) sums[g][p].flush();
  };
  for (int64_t row = 0; row < window.rows; row++)
    for (int64_t at = row * next; at < row * next + line; at += Sums::STEP, weights += vector) {
#pragma GCC unroll 4
      for (int p = 0; p < WINDOWS; p++)
#pragma GCC unroll 2
        for (int g = 0; g < COUNT; g++) sums[g][p].add(weights + g * all, tile.origins[p] + at);
      if (most != NEVER && --left == 0) {
        flush();
        left = most;
      }
    }
  flush();
#pragma GCC unroll 4
  for (int p = 0; p < WINDOWS; p++)
#pragma GCC unroll 2
    for (int g = 0; g < COUNT; g++)
      if (p < tile.used) tile.write(sums[g][p], p, group + g);
}

// The pixels of a layer from `first` on.
template <typename Sums>
void convolution(const Layer& layer, const void* in, int64_t first, int64_t count, Results out) {
  const int64_t groups = (layer.outputs + Sums::NEURONS - 1) / Sums::NEURONS;
  Place place(layer.window, first);
  Tile<typename Sums::Input, WINDOWS> tile{layer, WINDOWS, out, {}, {}};
  for (int64_t done = 0; done < count; done += WINDOWS, tile.next()) {
    tile.used = static_cast<int>(std::min<int64_t>(WINDOWS, count - done));
    tile.take(place, in, groups * Sums::NEURONS);
    int64_t group = 0;
    for (; group + GROUPS <= groups; group += GROUPS) neurons<Sums, GROUPS>(tile, group);
    for (; group < groups; group++) neurons<Sums, 1>(tile, group);
  }
}

#if defined(__AVX2__)
constexpr auto differences = convolution<Differences>;
#else
// Differences by tables, of a row of neurons. A table stays in the nearest cache for all windows.
template <int COUNT, typename Tile>
inline void row_of_neurons(const Tile& tile, int64_t group) {
  const Layer& layer = tile.layer;
  const Window& window = layer.window;
  const int64_t line = window.columns * window.depth;
  const auto* table = static_cast<const Table<COUNT>*>(layer.weights);
  table += group / COUNT * window.rows * line;
  const int last = static_cast<int>((layer.channels - 1) % 64) / NIBBLE + 1;
  TableSums sums[TABLE_WINDOWS][COUNT];
  std::fill_n(*sums, tile.used * COUNT, TableSums{});
  for (int64_t row = 0; row < window.rows; row++)
    for (int64_t word = 0; word < line; word++, table++) {
      const int nibbles = (word + 1) % window.depth ? NIBBLES : last;
      const int64_t at = row * window.width * window.depth + word;
      for (int p = 0; p < tile.used; p++) table->add(tile.origins[p][at], nibbles, sums[p]);
    }
  for (int p = 0; p < tile.used; p++)
    for (int i = 0; i < COUNT; i++)
      if ((group + i) * VECTOR < layer.outputs) tile.write(sums[p][i], p, group + i);
}

template <int COUNT>
void rows_of_neurons(const Layer& layer, const void* in, int64_t first, int64_t count,
                     Results out) {
  const int64_t groups = (layer.outputs + COUNT * VECTOR - 1) / (COUNT * VECTOR) * COUNT;
  Place place(layer.window, first);
  Tile<uint64_t, TABLE_WINDOWS> tile{layer, TABLE_WINDOWS, out, {}, {}};
  for (int64_t done = 0; done < count; done += TABLE_WINDOWS, tile.next()) {
    tile.used = static_cast<int>(std::min<int64_t>(TABLE_WINDOWS, count - done));
    tile.take(place, in, groups * VECTOR);
    for (int64_t group = 0; group < groups; group += COUNT) row_of_neurons<COUNT>(tile, group);
  }
}

void differences(const Layer& layer, const void* in, int64_t first, int64_t count, Results out) {
  switch (layer.row) {
    case VECTOR: return rows_of_neurons<1>(layer, in, first, count, out);
    case 2 * VECTOR: return rows_of_neurons<2>(layer, in, first, count, out);
    default: return rows_of_neurons<4>(layer, in, first, count, out);
  }
}
#endif

void convolution(const Layer& layer, const void* in, int64_t first, int64_t count, Results out) {
  if (layer.of_bits) return differences(layer, in, first, count, out);
#if !defined(__AVX2__)
  if (layer.until_flush) return convolution<ShortProducts>(layer, in, first, count, out);
#endif
  convolution<Products>(layer, in, first, count, out);
}

}  // namespace

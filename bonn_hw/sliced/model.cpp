// SPDX-License-Identifier: BSD-3-Clause
// The gates as the harness's Model. A beat of the harness is one of every image: the words of image
// i are at i * words. The control is evaluated once for several vectors of images.
#include "model.h"

#include <cstdlib>
#include <vector>

#include "design.h"

void widen(Control* to, const uint8_t* from, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = -static_cast<Control>(from[i] & 1);
}

namespace {

constexpr int kParts = LANES / 64, kBlock = 64;  // images are moved 64 at a time
constexpr int kWordsIn = (INPUTS + 31) / 32, kWordsOut = (OUTPUTS + 31) / 32;

// Rows and columns of a square of bits change places (Hacker's Delight, 7-3).
void transpose(uint64_t (&rows)[kBlock]) {
  uint64_t mask = 0x00000000ffffffff;
  for (int width = 32; width; width >>= 1, mask ^= mask << width) {
    for (int i = 0; i < kBlock; i = (i + width + 1) & ~width) {
      const uint64_t swapped = (rows[i] >> width ^ rows[i + width]) & mask;
      rows[i] ^= swapped << width;
      rows[i + width] ^= swapped;
    }
  }
}

struct Design : Model {
  uint8_t clock = 0, reset = 0, offered = 0, taking = 0, accepts = 0, gives = 0;
  std::vector<Lanes> vectors;

  explicit Design(size_t count) : vectors(count) {
    clk = &clock;
    rst = &reset;
    s_axis_tvalid = &offered;
    m_axis_tready = &taking;
    s_axis_tready = &accepts;
    m_axis_tvalid = &gives;
    start();
  }

  void eval() override {
    if (clock) {
#define X(n) \
  for (Lanes& l : vectors) f##n(l);
      BLOCKS(X)
#undef X
      control_step();
      return;
    }
    c[RST] = -Control{reset};
    c[S_VALID] = -Control{offered};
    c[M_READY] = -Control{taking};
    control();
    accepts = c[S_READY] & 1;
    gives = c[M_VALID] & 1;
  }

  void put_input(const uint32_t* words) override {
    for (int bit = 0; bit < INPUTS; bit += kBlock) {
      const int word = bit / 32, known = kWordsIn - word < 2 ? 1 : 2;
      for (size_t part = 0; part < vectors.size() * kParts; part++) {
        uint64_t rows[kBlock];
        V* const d = vectors[part / kParts].d;
        for (int image = 0; image < kBlock; image++) {
          const uint32_t* from = words + (part * kBlock + image) * kWordsIn + word;
          rows[image] = from[0] | (known > 1 ? static_cast<uint64_t>(from[1]) << 32 : 0);
        }
        transpose(rows);
        for (int i = 0; i < kBlock && bit + i < INPUTS; i++) d[INPUT[bit + i]][part % kParts] = rows[i];
      }
    }
  }

  void get_output(uint32_t* words) const override {
    std::vector<V> outputs(vectors.size() * OUTPUTS);
    for (size_t i = 0; i < vectors.size(); i++) output_data(vectors[i], &outputs[i * OUTPUTS]);
    for (int bit = 0; bit < OUTPUTS; bit += kBlock) {
      const int word = bit / 32, known = kWordsOut - word < 2 ? 1 : 2;
      for (size_t part = 0; part < vectors.size() * kParts; part++) {
        uint64_t rows[kBlock] = {};
        const V* const out = &outputs[part / kParts * OUTPUTS];
        for (int i = 0; i < kBlock && bit + i < OUTPUTS; i++) rows[i] = out[bit + i][part % kParts];
        transpose(rows);
        for (int image = 0; image < kBlock; image++) {
          uint32_t* to = words + (part * kBlock + image) * kWordsOut + word;
          to[0] = static_cast<uint32_t>(rows[image]);
          if (known > 1) to[1] = static_cast<uint32_t>(rows[image] >> 32);
        }
      }
    }
  }

  void get_probe(uint32_t* words) const override {
    for (int i = 0; i < PROBES; i += 32) {
      uint32_t word = 0;
      for (int j = i; j < PROBES && j < i + 32; j++) word |= (c[PROBE[j]] & 1u) << (j - i);
      words[i / 32] = word;
    }
  }

  void dump(uint64_t) override {}
  void close() override {}
};

}  // namespace

// The harness's option words_in says how many images there are.
std::unique_ptr<Model> make_model(int argc, char** argv, const char*) {
  size_t words = 0;
  for (int i = 1; i < argc; i++) {
    if (std::strncmp(argv[i], "words_in=", 9) == 0) words = std::strtoul(argv[i] + 9, nullptr, 10);
  }
  return std::make_unique<Design>(words / (kWordsIn * LANES));
}

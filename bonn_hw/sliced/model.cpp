// SPDX-License-Identifier: BSD-3-Clause
// The gates as the harness's Model. A beat of the harness is one of every image: the words of image
// i are at i * words.
#include "model.h"

#include "design.h"

namespace {

constexpr int kImages = LANES, kBlock = 64;
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

  Design() {
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
#define X(n) f##n();
      BLOCKS(X)
#undef X
      control_step();
      return;
    }
    c[RST] = -reset;
    c[S_VALID] = -offered;
    c[M_READY] = -taking;
    control();
    accepts = c[S_READY] & 1;
    gives = c[M_VALID] & 1;
  }

  void put_input(const uint32_t* words) override {
    for (int bit = 0; bit < INPUTS; bit += kBlock) {
      const int word = bit / 32, known = kWordsIn - word < 2 ? 1 : 2;
      for (int part = 0; part < kImages / kBlock; part++) {
        uint64_t rows[kBlock];
        for (int image = 0; image < kBlock; image++) {
          const uint32_t* from = words + (part * kBlock + image) * kWordsIn + word;
          rows[image] = from[0] | (known > 1 ? static_cast<uint64_t>(from[1]) << 32 : 0);
        }
        transpose(rows);
        for (int i = 0; i < kBlock && bit + i < INPUTS; i++) d[INPUT[bit + i]][part] = rows[i];
      }
    }
  }

  void get_output(uint32_t* words) const override {
    V out[OUTPUTS];
    output_data(out);
    for (int bit = 0; bit < OUTPUTS; bit += kBlock) {
      const int word = bit / 32, known = kWordsOut - word < 2 ? 1 : 2;
      for (int part = 0; part < kImages / kBlock; part++) {
        uint64_t rows[kBlock] = {};
        for (int i = 0; i < kBlock && bit + i < OUTPUTS; i++) rows[i] = out[bit + i][part];
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

std::unique_ptr<Model> make_model(int, char**, const char*) { return std::make_unique<Design>(); }

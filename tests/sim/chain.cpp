// SPDX-License-Identifier: BSD-3-Clause
// A chain of registers as the harness's Model, without Verilator. What is wrong with it is told by
// CHAIN="name=value ...":
//   stages, words  of the chain, and of a beat
//   every          the last stage gives only each so many-th beat (1)
//   sink           this stage takes beats and gives none
//   extra, late    after `beats` beats so many more come out, the first `late` cycles after the last
//   forget         what counts all beats taken and all clocks of resets, and is added to each beat,
//                  is not reset
//   sleep          milliseconds before a beat comes out
//   fatal          ends in this cycle, as $fatal does
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "model.h"

void vl_fatal(const char* file, int line, const char* scope, const char* message);

namespace {

struct Chain : Model {
  explicit Chain(const char* name) : trace(name) {
    std::istringstream text(std::getenv("CHAIN"));
    for (std::string word; text >> word;) {
      options[word.substr(0, word.find('='))] = std::atoll(word.substr(word.find('=') + 1).c_str());
    }
    stages = options["stages"], words = options["words"];
    valid.resize(stages), data.resize(stages);
    clk = &pins[0], rst = &pins[1], s_axis_tvalid = &pins[2], s_axis_tready = &pins[3];
    m_axis_tvalid = &pins[4], m_axis_tready = &pins[5];
    input.resize(words);
  }

  // Whether a beat moves into each stage, and out of the last.
  std::vector<bool> moves() const {
    std::vector<bool> moving(stages + 1);
    moving[stages] = *m_axis_tvalid && *m_axis_tready;
    bool ready = *m_axis_tready || !*m_axis_tvalid;
    for (int64_t i = stages - 1; i >= 0; i--) {
      ready = !valid[i] || ready;
      moving[i] = ready && (i ? valid[i - 1] : *s_axis_tvalid != 0);
      if (i == sink()) ready = true, moving[i] = i ? valid[i - 1] : *s_axis_tvalid != 0;
    }
    return moving;
  }
  int64_t sink() const { return options.count("sink") ? options.at("sink") : -1; }

  void eval() override {
    const bool rises = *clk == 1 && before == 0;
    if (rises) clock();
    before = *clk;
    bool more = options["extra"] > 0 && given >= options["beats"] && since >= options["late"];
    more = more && given < options["beats"] + options["extra"];
    *m_axis_tvalid = (stages && valid[stages - 1]) || more;
    bool ready = *m_axis_tready || !*m_axis_tvalid;
    for (int64_t i = stages - 1; i >= 0; i--) ready = i == sink() || !valid[i] || ready;
    *s_axis_tready = ready;
  }

  void clock() {
    if (options.count("fatal") && cycle == options["fatal"]) vl_fatal("chain.sv", 7, "", "it ends");
    const auto moving = moves();
    if (*rst) {
      std::fill(valid.begin(), valid.end(), false);
      given = since = 0;
      counted = options["forget"] ? counted + 100 : 0;
      taken = 0;
      return;
    }
    cycle++, since++;
    if (moving[stages]) given++, since = 1;
    for (int64_t i = stages - 1; i >= 0; i--) {
      if (moving[i + 1]) valid[i] = false;
      if (moving[i] && i != sink()) {
        valid[i] = true;
        data[i] = i ? data[i - 1] : input;
      }
    }
    if (moving[0]) {
      for (auto& word : data[0]) word += options["forget"] ? counted : 0;
      counted += options["forget"], taken++;
      if (options["every"] > 1 && taken % options["every"]) valid[0] = false;
    }
  }

  void put_input(const uint32_t* from) override { input.assign(from, from + words); }
  void get_output(uint32_t* to) const override {
    if (options.count("sleep")) usleep(1000 * options.at("sleep"));
    for (int64_t i = 0; i < words; i++) to[i] = data[stages - 1].empty() ? 0 : data[stages - 1][i];
  }
  void get_probe(uint32_t* to) const override {
    const auto moving = moves();
    for (int64_t i = 0; i < (3 * stages + 31) / 32; i++) to[i] = 0;
    for (int64_t bit = 0; bit < 3 * stages; bit++) {  // beats in, steps, beats out
      const bool set = moving[bit / 3 + (bit % 3 == 2)] && !(bit / 3 == sink() && bit % 3 == 2);
      to[bit / 32] |= static_cast<uint32_t>(set) << bit % 32;
    }
  }
  void dump(uint64_t time) override { in_order = in_order && time == dumps++; }
  void close() override {
    std::printf("closed %s %d %llu\n", trace.c_str(), in_order, (unsigned long long)dumps);
  }

  std::map<std::string, int64_t> options;
  std::string trace;
  int64_t stages, words, given = 0, since = 0, cycle = 0, counted = 0, taken = 0;
  std::vector<bool> valid;
  std::vector<std::vector<uint32_t>> data;
  std::vector<uint32_t> input;
  uint8_t pins[6] = {}, before = 0;
  uint64_t dumps = 0;
  bool in_order = true;
};

}  // namespace

std::unique_ptr<Model> make_model(int, char**, const char* trace) {
  return std::unique_ptr<Model>(new Chain(trace));
}

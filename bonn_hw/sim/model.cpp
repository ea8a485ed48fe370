// SPDX-License-Identifier: BSD-3-Clause
// A Verilated top as the harness's Model: all that is compiled for each design beside the design.
#include "model.h"

#include <cstring>

#include "Vtop.h"
#include "Vtop___024root.h"
#include "verilated.h"
#if defined(TRACE_FST)
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif defined(TRACE_VCD)
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

namespace {

// Ports are integers up to 64 bits and arrays of 32-bit words beyond.
template <std::size_t Words>
void put(VlWide<Words>& port, const uint32_t* words) {
  std::memcpy(&port[0], words, sizeof port);
}

void put(QData& port, const uint32_t* words) {
  port = words[0] | static_cast<uint64_t>(words[1]) << 32;
}

template <typename Port>
void put(Port& port, const uint32_t* words) {
  port = static_cast<Port>(words[0]);
}

template <std::size_t Words>
void get(const VlWide<Words>& port, uint32_t* words) {
  std::memcpy(words, &port[0], sizeof port);
}

void get(const QData& port, uint32_t* words) {
  words[0] = static_cast<uint32_t>(port);
  words[1] = static_cast<uint32_t>(port >> 32);
}

template <typename Port>
void get(const Port& port, uint32_t* words) {
  words[0] = port;
}

struct Design : Model {
  // The arguments come first: they say what the registers of the top hold at the start.
  Design(int argc, char** argv, const char* trace)
      : top{(context.commandArgs(argc, argv), &context)} {
    clk = &top.clk;
    rst = &top.rst;
    s_axis_tvalid = &top.s_axis_tvalid;
    s_axis_tready = &top.s_axis_tready;
    m_axis_tvalid = &top.m_axis_tvalid;
    m_axis_tready = &top.m_axis_tready;
#if defined(TRACE_FST) || defined(TRACE_VCD)
    context.traceEverOn(true);
    top.trace(&waves, 99);
    waves.open(trace);
#endif
  }

  void eval() override { top.eval(); }
  void put_input(const uint32_t* words) override { put(top.s_axis_tdata, words); }
  void get_output(uint32_t* words) const override { get(top.m_axis_tdata, words); }
  void get_probe(uint32_t* words) const override { get(top.rootp->PROBE, words); }
#if defined(TRACE_FST) || defined(TRACE_VCD)
  void dump(uint64_t time) override { waves.dump(time); }
  void close() override { waves.close(); }
#else
  void dump(uint64_t) override {}
  void close() override {}
#endif

  VerilatedContext context;
  Vtop top;
#if defined(TRACE_FST) || defined(TRACE_VCD)
  Trace waves;
#endif
};

}  // namespace

std::unique_ptr<Model> make_model(int argc, char** argv, const char* trace) {
  return std::make_unique<Design>(argc, argv, trace);
}

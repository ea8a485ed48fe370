// SPDX-License-Identifier: BSD-3-Clause
// What the harness knows of a design. It names no type of Verilator's, so that the harness is the
// same object for all designs.
#pragma once
#include <cstdint>
#include <memory>

struct Model {
  virtual ~Model() = default;
  virtual void eval() = 0;
  // Words of 32 bits, the lowest first; the port takes or fills as many as it is wide.
  virtual void put_input(const uint32_t* words) = 0;
  virtual void get_output(uint32_t* words) const = 0;
  virtual void get_probe(uint32_t* words) const = 0;
  // Waves, in builds that trace; nothing in others.
  virtual void dump(uint64_t time) = 0;
  virtual void close() = 0;

  uint8_t *clk, *rst, *s_axis_tvalid, *s_axis_tready, *m_axis_tvalid, *m_axis_tready;
};

std::unique_ptr<Model> make_model(int argc, char** argv, const char* trace);

// SPDX-License-Identifier: BSD-3-Clause
// A board without the board: the shell, a processor that reads and writes its registers, a memory.
// Commands come on standard input, each a letter and 64-bit numbers (and bytes); answers go to
// standard output. Time passes in accesses and where it is asked to.
//
//   W address value     a register is written          -> -
//   R address           a register is read             -> value
//   P address bytes ... memory is written              -> -
//   G address bytes     memory is read                 -> bytes
//   A cycles            so many cycles, or up to an interrupt -> cycles that passed
//   F seed latency gaps errors   what memory does: see Memory -> -
//   Q                   the end
//
// An access that takes longer than LONGEST cycles answers ~0: the bus hangs.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

void vl_fatal(const char* file, int line, const char*, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::_Exit(1);
}

namespace {

constexpr uint64_t LONGEST = 100000;

// Answers bursts in order. Of a thousand cycles `gaps` are none for each channel; a burst waits up to
// `latency` cycles; of a thousand bursts `errors` are answered with one.
struct Memory {
  std::vector<uint8_t> bytes = std::vector<uint8_t>(1 << 26);
  std::mt19937_64 random{0};
  uint64_t latency = 0, gaps = 0, errors = 0;

  struct Burst {
    uint64_t address, words, due;
    uint8_t answer;
  };
  std::deque<Burst> reads, writes, answers;

  bool chance(uint64_t thousandths) { return random() % 1000 < thousandths; }
  Burst burst(uint64_t address, uint64_t words, uint64_t now) {
    const uint64_t wait = latency ? random() % (latency + 1) : 0;
    // Beyond the end of memory there is nothing: a decoding error.
    const bool outside = address + 8 * words > bytes.size();
    const uint8_t answer = outside ? 3 : chance(errors) ? 2 : 0;
    return {address, words, now + 1 + wait, answer};
  }
};

// What AXI asks of each port; the first rule that is broken ends the simulation.
struct Rules {
  // A channel that the shell drives: what is offered stays as it is until it is taken.
  struct Offer {
    const char* name;
    bool waits = false;
    uint64_t payload[2] = {0, 0};

    void look(bool valid, bool ready, uint64_t first, uint64_t second = 0) {
      if (waits && !valid) broken(name, "was taken back");
      if (waits && (payload[0] != first || payload[1] != second)) broken(name, "changed");
      waits = valid && !ready;
      payload[0] = first;
      payload[1] = second;
    }
  };
  Offer ar{"a read burst"}, aw{"a write burst"}, w{"a written word"};
  Offer b{"an answer to a write"}, r{"a register's value"};
  std::deque<uint64_t> lengths;  // of the write bursts whose words have not all been taken
  uint64_t register_writes = 0, register_reads = 0;
  bool in_reset = false;

  [[noreturn]] static void broken(const char* what, const char* rule) {
    std::fprintf(stderr, "AXI: %s %s\n", what, rule);
    std::_Exit(5);
  }

  static void burst(const char* name, uint64_t address, uint64_t words, int size, int kind) {
    if (words > 16) broken(name, "has more than 16 words");
    if (size != 3 || kind != 1) broken(name, "is not of words of 8 bytes in a row");
    if (address % 8) broken(name, "does not begin at a word");
    if (address / 4096 != (address + 8 * words - 1) / 4096) broken(name, "crosses 4 KiB");
  }

  void look(const Vtop& t) {
    if (!t.aresetn) {
      const bool first = !in_reset;  // a reset is synchronous
      in_reset = true;
      if (first) return;
      if (t.m_axi_arvalid || t.m_axi_awvalid || t.m_axi_wvalid || t.s_axi_ctrl_bvalid ||
          t.s_axi_ctrl_rvalid)
        broken("a valid", "is high in reset");
      return;
    }
    in_reset = false;
    ar.look(t.m_axi_arvalid, t.m_axi_arready, t.m_axi_araddr, t.m_axi_arlen);
    aw.look(t.m_axi_awvalid, t.m_axi_awready, t.m_axi_awaddr, t.m_axi_awlen);
    w.look(t.m_axi_wvalid, t.m_axi_wready, t.m_axi_wdata, t.m_axi_wlast << 8 | t.m_axi_wstrb);
    b.look(t.s_axi_ctrl_bvalid, t.s_axi_ctrl_bready, t.s_axi_ctrl_bresp);
    r.look(t.s_axi_ctrl_rvalid, t.s_axi_ctrl_rready, t.s_axi_ctrl_rdata, t.s_axi_ctrl_rresp);
    if (t.m_axi_arvalid)
      burst(ar.name, t.m_axi_araddr, t.m_axi_arlen + 1, t.m_axi_arsize, t.m_axi_arburst);
    if (t.m_axi_awvalid)
      burst(aw.name, t.m_axi_awaddr, t.m_axi_awlen + 1, t.m_axi_awsize, t.m_axi_awburst);
    if (t.m_axi_awvalid && t.m_axi_awready) lengths.push_back(t.m_axi_awlen + 1);
    if (t.m_axi_wvalid && t.m_axi_wready) {
      if (lengths.empty()) broken(w.name, "comes before its burst");
      if (t.m_axi_wlast != (lengths.front() == 1)) broken(w.name, "is wrongly called the last");
      if (--lengths.front() == 0) lengths.pop_front();
    }
    if (t.s_axi_ctrl_bvalid && !register_writes) broken(b.name, "answers nothing");
    if (t.s_axi_ctrl_rvalid && !register_reads) broken(r.name, "answers nothing");
    register_writes += t.s_axi_ctrl_awvalid && t.s_axi_ctrl_awready;
    register_writes -= t.s_axi_ctrl_bvalid && t.s_axi_ctrl_bready;
    register_reads += t.s_axi_ctrl_arvalid && t.s_axi_ctrl_arready;
    register_reads -= t.s_axi_ctrl_rvalid && t.s_axi_ctrl_rready;
  }
};

struct Board {
  VerilatedContext context;
  std::unique_ptr<Vtop> top;
  Memory memory;
  Rules rules;
  uint64_t cycle = 0;

  // The arguments come first: they say what registers and memories hold at the start.
  Board(int argc, char** argv) {
    context.commandArgs(argc, argv);
    top = std::make_unique<Vtop>(&context);
    for (uint8_t* valid : {&top->m_axi_rvalid, &top->m_axi_bvalid, &top->s_axi_ctrl_awvalid,
                           &top->s_axi_ctrl_wvalid, &top->s_axi_ctrl_arvalid})
      *valid = 0;
  }

  void half(bool clock) {
    top->aclk = clock;
    top->eval();
  }

  // One cycle: memory's side is set from what was decided, then the clock rises.
  void tick() {
    Memory& m = memory;
    top->m_axi_arready = m.reads.size() < 8 && !m.chance(m.gaps);
    top->m_axi_awready = m.writes.size() < 4 && !m.chance(m.gaps);
    top->m_axi_wready = !m.writes.empty() && !m.chance(m.gaps);
    // What is offered stays until it is taken.
    if (!top->m_axi_rvalid && !m.reads.empty() && m.reads.front().due <= cycle && !m.chance(m.gaps)) {
      const Memory::Burst& burst = m.reads.front();
      uint64_t word = 0;
      if (burst.answer != 3) std::memcpy(&word, &m.bytes[burst.address], 8);
      top->m_axi_rvalid = 1;
      top->m_axi_rdata = word;
      top->m_axi_rresp = burst.answer;
      top->m_axi_rlast = burst.words == 1;
    }
    if (!top->m_axi_bvalid && !m.answers.empty() && m.answers.front().due <= cycle &&
        !m.chance(m.gaps)) {
      top->m_axi_bvalid = 1;
      top->m_axi_bresp = m.answers.front().answer;
    }
    half(false);
    rules.look(*top);
    const bool ar = top->m_axi_arvalid && top->m_axi_arready;
    const bool aw = top->m_axi_awvalid && top->m_axi_awready;
    const bool w = top->m_axi_wvalid && top->m_axi_wready;
    const bool r = top->m_axi_rvalid && top->m_axi_rready;
    const bool b = top->m_axi_bvalid && top->m_axi_bready;
    const uint64_t ar_address = top->m_axi_araddr, ar_words = top->m_axi_arlen + 1;
    const uint64_t aw_address = top->m_axi_awaddr, aw_words = top->m_axi_awlen + 1;
    const uint64_t data = top->m_axi_wdata;
    const uint8_t strobes = top->m_axi_wstrb;
    half(true);
    cycle++;
    if (ar) m.reads.push_back(m.burst(ar_address, ar_words, cycle));
    if (aw) m.writes.push_back(m.burst(aw_address, aw_words, cycle));
    if (r) {
      top->m_axi_rvalid = 0;
      m.reads.front().address += 8;
      if (--m.reads.front().words == 0) m.reads.pop_front();
    }
    if (w) {
      Memory::Burst& burst = m.writes.front();
      if (burst.answer != 3)
        for (int i = 0; i < 8; i++)
          if (strobes >> i & 1) m.bytes[burst.address + i] = data >> 8 * i;
      burst.address += 8;
      if (--burst.words == 0) {
        burst.due = cycle + 1 + (m.latency ? m.random() % (m.latency + 1) : 0);
        m.answers.push_back(burst);
        m.writes.pop_front();
      }
    }
    if (b) {
      top->m_axi_bvalid = 0;
      m.answers.pop_front();
    }
  }

  bool write(uint64_t address, uint64_t value) {
    top->s_axi_ctrl_awaddr = address;
    top->s_axi_ctrl_awvalid = top->s_axi_ctrl_wvalid = 1;
    top->s_axi_ctrl_wdata = value;
    top->s_axi_ctrl_wstrb = 15;
    top->s_axi_ctrl_bready = 1;
    for (uint64_t left = LONGEST; left--;) {
      half(false);
      const bool taken = top->s_axi_ctrl_awready && top->s_axi_ctrl_wready;
      const bool answered = top->s_axi_ctrl_bvalid;
      tick();
      if (taken) top->s_axi_ctrl_awvalid = top->s_axi_ctrl_wvalid = 0;
      if (answered) return true;
    }
    return false;
  }

  uint64_t read(uint64_t address) {
    top->s_axi_ctrl_araddr = address;
    top->s_axi_ctrl_arvalid = 1;
    top->s_axi_ctrl_rready = 1;
    for (uint64_t left = LONGEST; left--;) {
      half(false);
      const bool taken = top->s_axi_ctrl_arready, answered = top->s_axi_ctrl_rvalid;
      const uint64_t value = top->s_axi_ctrl_rdata;
      tick();
      if (taken) top->s_axi_ctrl_arvalid = 0;
      if (answered) return value;
    }
    return ~uint64_t{0};
  }
};

uint64_t number() {
  uint64_t value = 0;
  if (std::fread(&value, 8, 1, stdin) != 1) std::exit(0);
  return value;
}

void answer(uint64_t value) {
  std::fwrite(&value, 8, 1, stdout);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Board board(argc, argv);
  board.top->aresetn = 0;
  for (int i = 0; i < 16; i++) board.tick();
  board.top->aresetn = 1;
  std::vector<uint8_t>& bytes = board.memory.bytes;
  for (int letter; (letter = std::getchar()) != EOF && letter != 'Q';) {
    if (letter == 'W') {
      const uint64_t address = number(), value = number();
      answer(board.write(address, value) ? 0 : ~uint64_t{0});
    } else if (letter == 'R') {
      answer(board.read(number()));
    } else if (letter == 'P') {
      const uint64_t address = number(), count = number();
      answer(std::fread(&bytes.at(address), 1, count, stdin));
    } else if (letter == 'G') {
      const uint64_t address = number(), count = number();
      std::fwrite(&bytes.at(address), 1, count, stdout);
      std::fflush(stdout);
    } else if (letter == 'A') {
      const uint64_t cycles = number(), start = board.cycle;
      while (board.cycle - start < cycles && !board.top->__SYM__interrupt) board.tick();
      answer(board.cycle - start);
    } else if (letter == 'F') {
      board.memory.random.seed(number());
      board.memory.latency = number();
      board.memory.gaps = number();
      board.memory.errors = number();
      answer(0);
    }
  }
}

// SPDX-License-Identifier: BSD-3-Clause
// A netlist that was read back (netlist.py), simulated on 256 boards at once: bit i of every net's
// word belongs to board i. Each board has a memory of its own; the processor does the same on all.
//
// Around the netlist is what the processing system of a Zynq-7000 does at the two ports that zynq.v
// uses: M_AXI_GP0 (AXI3) for registers, S_AXI_HP0 (AXI3, 64 bits) for memory. Handshakes, addresses
// and registers must be the same on all boards, as control does not depend on data: if they are
// not, that is a fault, like every broken rule of AXI.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr int LANES = 256, PARTS = LANES / 64, STORE = 18432, PARITY = 16384, ROW = 36;
constexpr uint64_t LONGEST = 1000;  // cycles of a register access
typedef uint64_t Word __attribute__((vector_size(LANES / 8)));

struct Fault {
  std::string text;
};

Word all(bool one) { return Word{} - uint64_t{one}; }
bool any(const Word& w) { return w[0] | w[1] | w[2] | w[3]; }
bool bit(const Word& w, int lane) { return w[lane / 64] >> lane % 64 & 1; }

// A table of K inputs as a tree of multiplexers; its leaves are 0, 1, the first input, its inverse.
template <int K>
Word look(uint64_t contents, const Word* nets, const int32_t* inputs) {
  const Word first = nets[inputs[0]], pick[4] = {Word{}, ~first, first, ~Word{}};
  Word tree[1 << (K - 1)];
  for (int i = 0; i < 1 << (K - 1); i++) tree[i] = pick[contents >> 2 * i & 3];
  for (int k = 1; k < K; k++) {
    const Word select = nets[inputs[k]];
    for (int i = 0; i < 1 << (K - 1 - k); i++)
      tree[i] = tree[2 * i] ^ (select & (tree[2 * i] ^ tree[2 * i + 1]));
  }
  return tree[0];
}

struct Table {
  int32_t output, count, inputs[6];
  uint64_t contents;
};
struct Register {
  int32_t output, data, enable, reset, reset_value, start;
};
struct Port {  // of a memory; data nets of a read may be 0: not connected
  int32_t memory, writes, first, width, rows, enable, reset, address[14], data[ROW];
  uint64_t reset_value, start;
};

struct Netlist {
  std::vector<Word> nets, next_registers, next_reads;
  std::vector<Table> tables;
  std::vector<Register> registers;
  std::vector<Port> ports;
  std::vector<std::vector<Word>> stores;

  void start(const uint64_t* contents, int memories) {
    nets[1] = ~Word{};
    for (const Register& r : registers) nets[r.output] = all(r.start);
    for (const Port& p : ports)
      if (!p.writes)
        for (int i = 0; i < p.width + p.width / 8; i++)
          if (p.data[i]) nets[p.data[i]] = all(p.start >> i & 1);
    stores.assign(memories, std::vector<Word>(STORE));
    for (int m = 0; m < memories; m++)
      for (int i = 0; i < STORE; i++)
        stores[m][i] = all(contents[(m * STORE + i) / 64] >> i % 64 & 1);
    next_registers.resize(registers.size());
    next_reads.resize(ports.size() * ROW);
  }

  void evaluate() {
    Word* n = nets.data();
    for (const Table& t : tables) {
      switch (t.count) {
        case 1: n[t.output] = look<1>(t.contents, n, t.inputs); break;
        case 2: n[t.output] = look<2>(t.contents, n, t.inputs); break;
        case 3: n[t.output] = look<3>(t.contents, n, t.inputs); break;
        case 4: n[t.output] = look<4>(t.contents, n, t.inputs); break;
        case 5: n[t.output] = look<5>(t.contents, n, t.inputs); break;
        default: n[t.output] = look<6>(t.contents, n, t.inputs);
      }
    }
  }

  void clock() {
    for (size_t i = 0; i < registers.size(); i++) {
      const Register& r = registers[i];
      const Word reset = nets[r.reset], old = nets[r.output];
      const Word taken = old ^ (nets[r.enable] & (old ^ nets[r.data]));
      next_registers[i] = r.reset_value ? taken | reset : taken & ~reset;
    }
    for (size_t i = 0; i < ports.size(); i++)
      if (!ports[i].writes) read(ports[i], &next_reads[i * ROW]);
    for (const Port& p : ports)
      if (p.writes) write(p);
    for (size_t i = 0; i < registers.size(); i++) nets[registers[i].output] = next_registers[i];
    for (size_t i = 0; i < ports.size(); i++)
      if (!ports[i].writes)
        for (int j = 0; j < ports[i].width + ports[i].width / 8; j++)
          if (ports[i].data[j]) nets[ports[i].data[j]] = next_reads[i * ROW + j];
  }

  static int place(const Port& p, int row, int i) {
    return i < p.width ? p.first + row * p.width + i : PARITY + row * (p.width / 8) + i - p.width;
  }

  // The row of all lanes, or -1: they differ.
  int row(const Port& p) const {
    int row = 0;
    for (int i = 0; i < p.rows; i++) {
      const Word w = nets[p.address[i]];
      if (any(w ^ all(w[0] & 1))) return -1;
      row |= (w[0] & 1) << i;
    }
    return row;
  }

  int row(const Port& p, int lane) const {
    int row = 0;
    for (int i = 0; i < p.rows; i++) row |= bit(nets[p.address[i]], lane) << i;
    return row;
  }

  void read(const Port& p, Word* next) const {
    const Word enable = nets[p.enable], reset = nets[p.reset];
    const std::vector<Word>& store = stores[p.memory];
    const int one = row(p), bits = p.width + p.width / 8;
    for (int i = 0; i < bits; i++) next[i] = nets[p.data[i]];
    if (!any(enable)) return;
    Word found[ROW] = {};
    if (one >= 0) {
      for (int i = 0; i < bits; i++) found[i] = store[place(p, one, i)];
    } else {
      for (int lane = 0; lane < LANES; lane++) {
        const int here = row(p, lane);
        for (int i = 0; i < bits; i++)
          found[i][lane / 64] |= uint64_t{bit(store[place(p, here, i)], lane)} << lane % 64;
      }
    }
    for (int i = 0; i < bits; i++) {
      const Word value = p.reset_value >> i & 1 ? found[i] | reset : found[i] & ~reset;
      next[i] ^= enable & (next[i] ^ value);
    }
  }

  void write(const Port& p) {
    const Word enable = nets[p.enable];
    std::vector<Word>& store = stores[p.memory];
    const int one = row(p), bits = p.width + p.width / 8;
    if (!any(enable)) return;
    for (int lane = 0; lane < (one >= 0 ? 1 : LANES); lane++) {
      Word mask = enable;
      if (one < 0) {
        mask = Word{};
        mask[lane / 64] = enable[lane / 64] & uint64_t{1} << lane % 64;
      }
      const int here = one >= 0 ? one : row(p, lane);
      for (int i = 0; i < bits; i++) {
        Word& kept = store[place(p, here, i)];
        kept ^= mask & (kept ^ nets[p.data[i]]);
      }
    }
  }
};

using Pins = std::vector<int32_t>;

struct Board {
  Netlist netlist;
  std::map<std::string, Pins> pins;
  std::vector<std::vector<uint8_t>> memory;
  std::string fault;
  uint64_t cycle = 0;

  struct Burst {
    uint64_t address, words;
    bool outside;
  };
  std::deque<Burst> reads, writes, answers;
  // What was taken in the last cycle at M_AXI_GP0.
  bool took_aw = false, took_w = false, took_b = false, took_ar = false, took_r = false;
  uint64_t id = 0, read_value = 0;

  void set(const char* name, uint64_t value) {
    const Pins& nets = pins[name];
    for (size_t i = 0; i < nets.size(); i++)
      if (nets[i] > 1) netlist.nets[nets[i]] = all(value >> i & 1);
  }

  uint64_t get(const char* name) {
    const Pins& nets = pins[name];
    uint64_t value = 0;
    for (size_t i = 0; i < nets.size(); i++) {
      const Word w = netlist.nets[nets[i]];
      if (any(w ^ all(w[0] & 1)))
        throw Fault{"the boards differ at " + std::string(name) + std::to_string(i)};
      value |= (w[0] & 1) << i;
    }
    return value;
  }

  static void rule(bool kept, const char* text) {
    if (!kept) throw Fault{std::string("AXI: ") + text};
  }

  Burst burst(bool read) {
    const uint64_t address = get(read ? "SAXIHP0ARADDR" : "SAXIHP0AWADDR");
    const uint64_t words = get(read ? "SAXIHP0ARLEN" : "SAXIHP0AWLEN") + 1;
    rule(get(read ? "SAXIHP0ARSIZE" : "SAXIHP0AWSIZE") == 3, "a burst is not of 8 bytes a word");
    rule(get(read ? "SAXIHP0ARBURST" : "SAXIHP0AWBURST") == 1, "a burst is not of words in a row");
    rule(address % 8 == 0, "a burst does not begin at a word");
    rule(address / 4096 == (address + 8 * words - 1) / 4096, "a burst crosses 4 KiB");
    return {address, words, address + 8 * words > memory[0].size()};
  }

  void tick() {
    const bool r_valid = !reads.empty(), b_valid = !answers.empty();
    set("SAXIHP0ARREADY", reads.size() < 8);
    set("SAXIHP0AWREADY", writes.size() < 4);
    set("SAXIHP0WREADY", !writes.empty());
    set("SAXIHP0RVALID", r_valid);
    set("SAXIHP0BVALID", b_valid);
    if (r_valid) {
      set("SAXIHP0RLAST", reads.front().words == 1);
      set("SAXIHP0RRESP", reads.front().outside ? 3 : 0);
      offer(reads.front());
    }
    if (b_valid) set("SAXIHP0BRESP", answers.front().outside ? 3 : 0);
    netlist.evaluate();
    const bool ar = get("SAXIHP0ARVALID") && reads.size() < 8;
    const bool aw = get("SAXIHP0AWVALID") && writes.size() < 4;
    const bool w = get("SAXIHP0WVALID") && !writes.empty();
    const bool r = r_valid && get("SAXIHP0RREADY"), b = b_valid && get("SAXIHP0BREADY");
    if (r && --reads.front().words == 0) reads.pop_front();
    else if (r) reads.front().address += 8;
    if (ar) reads.push_back(burst(true));
    if (b) answers.pop_front();
    if (w) {
      Burst& one = writes.front();
      take(one);
      rule(get("SAXIHP0WLAST") == (one.words == 1), "a written word is wrongly called the last");
      one.address += 8;
      if (--one.words == 0) {
        answers.push_back(one);
        writes.pop_front();
      }
    }
    if (aw) writes.push_back(burst(false));
    look();
    netlist.clock();
    cycle++;
  }

  // What the registers' port answers.
  void look() {
    took_aw = get("MAXIGP0AWREADY");
    took_w = get("MAXIGP0WREADY");
    took_ar = get("MAXIGP0ARREADY");
    took_b = get("MAXIGP0BVALID");
    took_r = get("MAXIGP0RVALID");
    if (took_b) rule(get("MAXIGP0BID") == id && get("MAXIGP0BRESP") == 0, "a write's answer");
    if (took_r) {
      rule(get("MAXIGP0RID") == id && get("MAXIGP0RRESP") == 0, "a read's answer");
      rule(get("MAXIGP0RLAST"), "a read's answer is not the last");
      read_value = get("MAXIGP0RDATA");
    }
  }

  void offer(const Burst& one) {
    const Pins& nets = pins["SAXIHP0RDATA"];
    Word data[64] = {};
    for (int lane = 0; lane < LANES && !one.outside; lane++) {
      uint64_t value;
      std::memcpy(&value, &memory[lane][one.address], 8);
      for (int i = 0; i < 64; i++) data[i][lane / 64] |= (value >> i & 1) << lane % 64;
    }
    for (size_t i = 0; i < nets.size(); i++)
      if (nets[i] > 1) netlist.nets[nets[i]] = data[i];
  }

  void take(const Burst& one) {
    const uint64_t strobes = get("SAXIHP0WSTRB");
    const Pins& nets = pins["SAXIHP0WDATA"];
    for (int lane = 0; lane < LANES && !one.outside; lane++)
      for (int i = 0; i < 8; i++) {
        if (!(strobes >> i & 1)) continue;
        uint8_t value = 0;
        for (int k = 0; k < 8; k++) value |= bit(netlist.nets[nets[8 * i + k]], lane) << k;
        memory[lane][one.address + i] = value;
      }
  }

  void write(uint64_t address, uint64_t value) {
    id = (id + 77) & 0xFFF;
    for (const char* name : {"MAXIGP0AWSIZE", "MAXIGP0ARSIZE"}) set(name, 2);
    for (const char* name : {"MAXIGP0AWBURST", "MAXIGP0ARBURST"}) set(name, 1);
    set("MAXIGP0AWID", id);
    set("MAXIGP0AWADDR", address);
    set("MAXIGP0WDATA", value);
    set("MAXIGP0WSTRB", 15);
    bool aw = true, w = true;
    for (uint64_t left = LONGEST; left--;) {
      set("MAXIGP0AWVALID", aw);
      set("MAXIGP0WVALID", w);
      set("MAXIGP0WLAST", 1);
      set("MAXIGP0BREADY", 1);
      tick();
      aw = aw && !took_aw;
      w = w && !took_w;
      if (took_b) return quiet();
    }
    throw Fault{"a write to a register is not answered"};
  }

  uint64_t read(uint64_t address) {
    id = (id + 77) & 0xFFF;
    set("MAXIGP0ARSIZE", 2);
    set("MAXIGP0ARBURST", 1);
    set("MAXIGP0ARID", id);
    set("MAXIGP0ARADDR", address);
    bool ar = true;
    for (uint64_t left = LONGEST; left--;) {
      set("MAXIGP0ARVALID", ar);
      set("MAXIGP0RREADY", 1);
      tick();
      ar = ar && !took_ar;
      if (took_r) {
        quiet();
        return read_value;
      }
    }
    throw Fault{"a read of a register is not answered"};
  }

  void quiet() {
    for (const char* name : {"MAXIGP0AWVALID", "MAXIGP0WVALID", "MAXIGP0BREADY", "MAXIGP0ARVALID",
                             "MAXIGP0RREADY"})
      set(name, 0);
  }
};

template <typename Do>
int guarded(Board* board, Do what) {
  try {
    what();
    return 0;
  } catch (const Fault& fault) {
    board->fault = fault.text + " (cycle " + std::to_string(board->cycle) + ")";
    return 1;
  }
}

}  // namespace

extern "C" {

int lanes_count() { return LANES; }

Board* lanes_new(int nets, const Table* tables, int table_count, const Register* registers,
                 int register_count, const Port* ports, int port_count, const uint64_t* contents,
                 int memories, uint64_t bytes) {
  Board* board = new Board;
  Netlist& n = board->netlist;
  n.nets.resize(nets);
  n.tables.assign(tables, tables + table_count);
  n.registers.assign(registers, registers + register_count);
  n.ports.assign(ports, ports + port_count);
  n.start(contents, memories);
  board->memory.assign(LANES, std::vector<uint8_t>(bytes));
  return board;
}

void lanes_free(Board* board) { delete board; }
void lanes_pins(Board* board, const char* name, const int32_t* nets, int count) {
  board->pins[name].assign(nets, nets + count);
}
const char* lanes_fault(Board* board) { return board->fault.c_str(); }
uint8_t* lanes_memory(Board* board, int lane) { return board->memory[lane].data(); }

// Reset for some cycles, and go.
int lanes_reset(Board* board) {
  return guarded(board, [&] {
    board->set("FCLKRESETN", 0);
    board->quiet();
    for (int i = 0; i < 16; i++) board->tick();
    board->set("FCLKRESETN", 1);
    for (int i = 0; i < 16; i++) board->tick();
  });
}

int lanes_write(Board* board, uint64_t address, uint64_t value) {
  return guarded(board, [&] { board->write(address, value); });
}

int lanes_read(Board* board, uint64_t address, uint64_t* value) {
  return guarded(board, [&] { *value = board->read(address); });
}

// So many cycles, or up to an interrupt; sets the cycles that passed.
int lanes_advance(Board* board, uint64_t cycles, uint64_t* passed) {
  const uint64_t start = board->cycle;
  const int code = guarded(board, [&] {
    while (board->cycle - start < cycles && !board->get("IRQF2P")) board->tick();
  });
  *passed = board->cycle - start;
  return code;
}
}

// SPDX-License-Identifier: BSD-3-Clause
// Runs whole files of beats through a Verilated top, as fast as it goes. One harness for all designs:
// ports of any width, a probe of any length. Cycle 0 is the first one after reset.
//
// harness IN OUT CYCLES FRAMES key=value...
//   IN      uint32 words of all input beats          OUT     the same of all output beats
//   CYCLES  int64: the cycle of every output beat    FRAMES  int64 rows of a frame: first_in,
//           first_out, last_out; then, for the first `snapshots` frames, rows of beats sent so far
//           and the probe's counts so far, taken in the cycle of the frame's last output beat
// Standard output: lines "frame N" now and then, at the end "done CYCLES SECONDS". A hang ends with
// exit code 3 and "hang CYCLE MOVED SENT GOT", the probe's counts, and for every place of the probe
// the last cycle after MOVED in which it was set, or -1. A whole frame beyond the last one ends with
// exit code 6 and "surplus CYCLE".
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

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

constexpr int64_t kSilence = 1000;  // cycles after the last beat in which no further one may come

// Ports are integers up to 64 bits and arrays of 32-bit words beyond.
template <typename Port>
void put(Port& port, const uint32_t* words) {
  if constexpr (!std::is_integral_v<Port>) {
    std::memcpy(&port[0], words, sizeof port);
  } else if constexpr (sizeof port == 8) {
    port = words[0] | static_cast<uint64_t>(words[1]) << 32;
  } else {
    port = static_cast<Port>(words[0]);
  }
}

template <typename Port>
void get(const Port& port, uint32_t* words) {
  if constexpr (!std::is_integral_v<Port>) {
    std::memcpy(words, &port[0], sizeof port);
  } else if constexpr (sizeof port == 8) {
    words[0] = static_cast<uint32_t>(port);
    words[1] = static_cast<uint32_t>(port >> 32);
  } else {
    words[0] = port;
  }
}

// Counts the set bits of every place of the probe: planes of a binary counter, a column a place,
// so that a cycle costs a few word operations; columns are read when the planes are full.
class Counts {
 public:
  explicit Counts(size_t places) : totals(places), words_((places + 63) / 64) {
    for (auto& plane : planes_) plane.resize(words_);
  }
  void add(const uint64_t* word) {
    for (size_t w = 0; w < words_; w++) {
      uint64_t carry = word[w];
      for (size_t p = 0; carry; p++) {
        const uint64_t next = planes_[p][w] & carry;
        planes_[p][w] ^= carry;
        carry = next;
      }
    }
    if (++added_ == (1u << kPlanes) - 1) drain();
  }
  void drain() {
    for (size_t place = 0; place < totals.size(); place++) {
      for (size_t p = 0; p < kPlanes; p++) {
        totals[place] += (planes_[p][place / 64] >> (place % 64) & 1) << p;
      }
    }
    for (auto& plane : planes_) std::fill(plane.begin(), plane.end(), 0);
    added_ = 0;
  }
  std::vector<int64_t> totals;

 private:
  static constexpr size_t kPlanes = 16;
  size_t words_;
  uint32_t added_ = 0;
  std::vector<uint64_t> planes_[kPlanes];
};

// xorshift64* (Vigna 2016): the same gaps for the same seed everywhere.
struct Random {
  uint64_t state;
  uint64_t operator()() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ull >> 32;
  }
};

std::vector<uint32_t> load(const char* path, size_t words) {
  std::vector<uint32_t> data(words);
  FILE* file = std::fopen(path, "rb");
  if (!file || std::fread(data.data(), 4, words, file) != words) {
    std::fprintf(stderr, "cannot read %zu words of %s\n", words, path);
    std::exit(4);
  }
  std::fclose(file);
  return data;
}

template <typename Value>
void store(const char* path, const std::vector<Value>& data) {
  FILE* file = std::fopen(path, "wb");
  const bool whole = file && std::fwrite(data.data(), sizeof(Value), data.size(), file) == data.size();
  if (!whole || std::fclose(file) != 0) {
    std::fprintf(stderr, "cannot write %s: %s\n", path, std::strerror(errno));
    std::exit(errno == ENOSPC ? 5 : 4);
  }
}

}  // namespace

// The runtime's own way to end flushes the waves, and waits for ever if their disk is full.
void vl_fatal(const char* file, int line, const char*, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::_Exit(4);
}

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 5; i < argc; i++) {
    const std::string option = argv[i];
    options[option.substr(0, option.find('='))] = option.substr(option.find('=') + 1);
  }
  const auto number = [&](const char* name) { return std::strtoll(options[name].c_str(), nullptr, 10); };
  const int64_t frames = number("frames"), beats_in = number("beats_in"), words_in = number("words_in");
  const int64_t beats_out = number("beats_out"), words_out = number("words_out");
  const int64_t stages = number("stages"), timeout = number("timeout"), stall = number("stall");
  const int64_t snapshots = std::min<int64_t>(frames, number("snapshots"));
  const bool stalls = stall >= 0;

  const auto input = load(argv[1], frames * beats_in * words_in);
  std::vector<uint32_t> output(frames * beats_out * words_out);
  std::vector<int64_t> cycles(frames * beats_out);
  std::vector<int64_t> rows(3 * frames + snapshots * (3 * stages + 1));
  Counts counts(3 * stages);
  const size_t probe_words = (3 * stages + 63) / 64;
  std::vector<uint64_t> probe(probe_words + 1);
  std::vector<uint64_t> quiet;  // the probe in every cycle since a beat moved at either end

  VerilatedContext context;
  context.commandArgs(argc, argv);
  Vtop top{&context};
#if defined(TRACE_FST) || defined(TRACE_VCD)
  context.traceEverOn(true);
  Trace trace;
  top.trace(&trace, 99);
  trace.open(options["trace"].c_str());
  const auto dump = [&](uint64_t time) { trace.dump(time); };
  const auto close = [&] { trace.close(); };
#else
  const auto dump = [](uint64_t) {};
  const auto close = [] {};
#endif

  top.rst = 1;
  top.s_axis_tvalid = 0;
  top.m_axis_tready = 0;
  for (int i = 0; i < 4; i++) {
    top.clk = 0;
    top.eval();
    top.clk = 1;
    top.eval();
  }
  top.rst = 0;

  Random random{static_cast<uint64_t>(stall) * 2654435761u + 88172645463325252ull};
  const int64_t sent_end = frames * beats_in, got_end = frames * beats_out;
  int64_t sent = 0, got = 0, cycle = 0, moved = 0;
  bool offered = false;
  const auto start = std::chrono::steady_clock::now();
  auto told = start, done = start;
  int64_t end = 0;
  // A frame's last output may come before its last input, and a frame too many comes after: go on
  // until all input is taken and the output was silent for a while. The next frame's first beats
  // may come ahead of its input (a border), the whole frame not.
  int64_t ahead = 0;
  for (; got < got_end || sent < sent_end || cycle - moved <= kSilence; cycle++) {
    top.clk = 0;
    if (!offered && sent < sent_end && !(stalls && random() % 4 == 0)) {
      put(top.s_axis_tdata, &input[sent * words_in]);
      offered = true;  // valid never goes back once it was shown
    }
    top.s_axis_tvalid = offered;
    top.m_axis_tready = !(stalls && random() % 2 == 0);
    top.eval();
    dump(2 * cycle);
    get(top.rootp->PROBE, reinterpret_cast<uint32_t*>(probe.data()));
    counts.add(probe.data());
    const bool taken = offered && top.s_axis_tready;
    const bool given = top.m_axis_tvalid && top.m_axis_tready;
    quiet.insert(quiet.end(), probe.begin(), probe.begin() + probe_words);
    if (taken) {
      if (sent % beats_in == 0) rows[3 * (sent / beats_in)] = cycle;
      sent++;
      offered = false;
      moved = cycle;
    }
    if (given && got == got_end) {
      moved = cycle;
      if (++ahead == beats_out) {
        std::printf("surplus %lld\n", (long long)cycle);
        close();
        return 6;
      }
    } else if (given) {
      get(top.m_axis_tdata, &output[got * words_out]);
      cycles[got] = cycle;
      const int64_t frame = got / beats_out, beat = got % beats_out;
      if (beat == 0) rows[3 * frame + 1] = cycle;
      if (beat == beats_out - 1) {
        rows[3 * frame + 2] = cycle;
        if (frame < snapshots) {
          counts.drain();
          int64_t* row = &rows[3 * frames + frame * (3 * stages + 1)];
          *row++ = sent;
          std::copy(counts.totals.begin(), counts.totals.end(), row);
        }
        const auto now = std::chrono::steady_clock::now();
        if (now - told > std::chrono::milliseconds(200)) {
          std::printf("frame %lld\n", static_cast<long long>(frame + 1));
          std::fflush(stdout);
          told = now;
        }
      }
      got++;
      moved = cycle;
      if (got == got_end) {
        end = cycle + 1;
        done = std::chrono::steady_clock::now();
      }
    }
    if (moved == cycle) quiet.clear();
    top.clk = 1;
    top.eval();
    dump(2 * cycle + 1);
    if (cycle - moved >= timeout && (got < got_end || sent < sent_end)) {
      counts.drain();
      std::printf("hang");
      for (const int64_t value : {cycle, moved, sent, got}) std::printf(" %lld", (long long)value);
      for (const int64_t total : counts.totals) std::printf(" %lld", (long long)total);
      for (int64_t place = 0; place < 3 * stages; place++) {
        int64_t last = cycle;
        const auto set = [&] {
          return quiet[(last - moved - 1) * probe_words + place / 64] >> (place % 64) & 1;
        };
        while (last > moved && !set()) last--;
        std::printf(" %lld", last > moved ? (long long)last : -1);
      }
      std::printf("\n");
      close();  // the waves of a hang are the ones that are wanted
      return 3;
    }
  }
  close();
  store(argv[2], output);
  store(argv[3], cycles);
  store(argv[4], rows);
  const double seconds = std::chrono::duration<double>(done - start).count();
  std::printf("done %lld %.6f\n", static_cast<long long>(end), seconds);
  return 0;
}

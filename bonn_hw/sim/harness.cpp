// SPDX-License-Identifier: BSD-3-Clause
// Runs whole files of beats through a Verilated top, as fast as it goes. One harness for all designs,
// compiled once (model.h is all that it knows of a design): ports of any width, a probe of any
// length. Cycle 0 is the first one after reset.
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
#include <memory>
#include <string>
#include <vector>

#include "model.h"

namespace {

constexpr int64_t kSilence = 1000;  // cycles after the last beat in which no further one may come

// Counts the set bits of every place of the probe, and keeps the cycle in which each was set last.
// A cycle costs a copy of the probe; blocks of cycles are counted together, all places of a word at
// once: planes of a binary counter, a column a place, fed by carry-save adders.
class Counts {
 public:
  explicit Counts(size_t places)
      : totals(places), last(places, -1), words_((places + 63) / 64), block_(kBlock * words_) {}

  size_t words() const { return words_; }  // of a probe

  void add(const uint64_t* probe) {
    std::memcpy(&block_[filled_ * words_], probe, words_ * sizeof *probe);
    if (++filled_ == kBlock) drain();
  }

  void drain() {
    for (size_t w = 0; w < words_; w++) drain(w);
    start_ += static_cast<int64_t>(filled_);
    filled_ = 0;
  }

  std::vector<int64_t> totals, last;

 private:
  static constexpr size_t kBlock = 4096, kPart = 64, kPlanes = 13;

  uint64_t at(size_t cycle, size_t w) const {
    return cycle < filled_ ? block_[cycle * words_ + w] : 0;
  }

  // Adds two words to a plane and returns what carries into the next.
  static uint64_t carry(uint64_t& plane, uint64_t a, uint64_t b) {
    const uint64_t odd = a ^ b, over = (a & b) | (odd & plane);
    plane ^= odd;
    return over;
  }

  void drain(size_t w) {
    uint64_t planes[kPlanes] = {};
    uint64_t parts[kBlock / kPart] = {};  // which places were set in each part of the block
    for (size_t i = 0; i < filled_; i += 4) {
      const uint64_t a = at(i, w), b = at(i + 1, w), c = at(i + 2, w), d = at(i + 3, w);
      parts[i / kPart] |= a | b | c | d;
      uint64_t rest = carry(planes[1], carry(planes[0], a, b), carry(planes[0], c, d));
      for (size_t p = 2; rest; p++) {
        const uint64_t next = planes[p] & rest;
        planes[p] ^= rest;
        rest = next;
      }
    }
    const size_t end = std::min(totals.size(), 64 * (w + 1));
    for (size_t place = 64 * w; place < end; place++) {
      const auto bit = [&](uint64_t word) { return word >> (place % 64) & 1; };
      for (size_t p = 0; p < kPlanes; p++) totals[place] += bit(planes[p]) << p;
      size_t part = kBlock / kPart;
      while (part > 0 && !bit(parts[part - 1])) part--;
      if (part == 0) continue;
      size_t cycle = part * kPart - 1;
      while (!bit(at(cycle, w))) cycle--;
      last[place] = start_ + static_cast<int64_t>(cycle);
    }
  }

  size_t words_, filled_ = 0;
  int64_t start_ = 0;  // cycle of the block's first probe
  std::vector<uint64_t> block_;
};

template <typename Value>
std::vector<Value> load(const char* path, size_t count) {
  std::vector<Value> data(count);
  FILE* file = std::fopen(path, "rb");
  if (!file || std::fread(data.data(), sizeof(Value), count, file) != count) {
    std::fprintf(stderr, "cannot read %zu values of %s\n", count, path);
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
  std::fflush(stdout);  // the text of $fatal
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::_Exit(4);
}

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 6; i < argc; i++) {
    const std::string option = argv[i];
    options[option.substr(0, option.find('='))] = option.substr(option.find('=') + 1);
  }
  const auto number = [&](const char* name) { return std::strtoll(options[name].c_str(), nullptr, 10); };
  const int64_t frames = number("frames"), beats_in = number("beats_in"), words_in = number("words_in");
  const int64_t beats_out = number("beats_out"), words_out = number("words_out");
  const int64_t stages = number("stages"), timeout = number("timeout"), period = number("period");
  const int64_t snapshots = std::min<int64_t>(frames, number("snapshots"));

  const auto input = load<uint32_t>(argv[1], frames * beats_in * words_in);
  // In each cycle of a period: whether a beat may be offered; then, whether one is taken.
  const auto stalls = load<uint8_t>(argv[5], 2 * period);
  std::vector<uint32_t> output(frames * beats_out * words_out);
  std::vector<int64_t> cycles(frames * beats_out);
  std::vector<int64_t> rows(3 * frames + snapshots * (3 * stages + 1));
  Counts counts(3 * stages);
  std::vector<uint64_t> probe(counts.words());

  const std::unique_ptr<Model> model = make_model(argc, argv, options["trace"].c_str());
  Model& top = *model;
  const int64_t sent_end = frames * beats_in, got_end = frames * beats_out;
  const auto reset = [&](int length) {
    *top.rst = 1;
    for (int i = 0; i < length; i++) {
      *top.clk = 0;
      top.eval();
      *top.clk = 1;
      top.eval();
    }
    *top.rst = 0;
  };
  *top.s_axis_tvalid = 0;
  *top.m_axis_tready = 0;
  reset(4);
  // Some cycles that count for nothing, then a reset of a single one, while beats are offered and
  // taken: it must leave nothing behind.
  const int64_t before = number("reset_after");
  if (before > 0) {
    bool offered = false;
    for (int64_t cycle = 0, sent = 0; cycle < before; cycle++) {
      *top.clk = 0;
      if (!offered && sent < sent_end && stalls[cycle % period]) {
        top.put_input(&input[sent * words_in]);
        offered = true;
      }
      *top.s_axis_tvalid = offered;
      *top.m_axis_tready = stalls[period + cycle % period];
      top.eval();
      if (offered && *top.s_axis_tready) {
        sent++;
        offered = false;
      }
      *top.clk = 1;
      top.eval();
    }
    reset(1);
  }
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
    *top.clk = 0;
    if (!offered && sent < sent_end && stalls[cycle % period]) {
      top.put_input(&input[sent * words_in]);
      offered = true;  // valid never goes back once it was shown
    }
    *top.s_axis_tvalid = offered;
    *top.m_axis_tready = stalls[period + cycle % period];
    top.eval();
    top.dump(2 * cycle);
    top.get_probe(reinterpret_cast<uint32_t*>(probe.data()));
    counts.add(probe.data());
    const bool taken = offered && *top.s_axis_tready;
    const bool given = *top.m_axis_tvalid && *top.m_axis_tready;
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
        top.close();
        return 6;
      }
    } else if (given) {
      top.get_output(&output[got * words_out]);
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
    *top.clk = 1;
    top.eval();
    top.dump(2 * cycle + 1);
    if (cycle - moved >= timeout && (got < got_end || sent < sent_end)) {
      counts.drain();
      std::printf("hang");
      for (const int64_t value : {cycle, moved, sent, got}) std::printf(" %lld", (long long)value);
      for (const int64_t total : counts.totals) std::printf(" %lld", (long long)total);
      for (const int64_t last : counts.last) std::printf(" %lld", last > moved ? (long long)last : -1);
      std::printf("\n");
      top.close();  // the waves of a hang are the ones that are wanted
      return 3;
    }
  }
  top.close();
  store(argv[2], output);
  store(argv[3], cycles);
  store(argv[4], rows);
  const double seconds = std::chrono::duration<double>(done - start).count();
  std::printf("done %lld %.6f\n", static_cast<long long>(end), seconds);
  return 0;
}

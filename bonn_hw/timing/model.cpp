// SPDX-License-Identifier: BSD-3-Clause
// The cycle model: a chain of stages, counters and handshakes only, one cycle at a time.
// What a stage does is data (see `Schedule` in bonn_hw/kernels/kernel.py); nothing here knows layers.
#include <cstdint>
#include <vector>

namespace {

struct Schedule {
  const int64_t* need;     // input beats of the frame that step i waits for
  const int64_t* release;  // input beats given back after step i, in total
  const uint8_t* emit;     // whether step i sends an output beat
  int64_t steps;
  int64_t capacity;  // beats held at most; 0: taken from the wire by the step itself
  int64_t latency;   // registers behind a step; 0: the oldest held beat is on the wire
};

struct Stage {
  Schedule plan;
  int64_t step = 0;      // next step of the frame
  int64_t base = 0;      // input beats of all frames before
  int64_t received = 0;  // input beats taken
  int64_t released = 0;  // input beats given back
  uint64_t pipe = 0;     // output beats under way, the last register highest
  int64_t peak = 0;      // most beats held
  bool valid = false, ready = false, steps = false;

  bool buffered() const { return plan.capacity > 0; }
  bool consumes() const { return base + plan.need[step] > received; }

  void show() {
    valid = plan.latency ? pipe >> (plan.latency - 1) & 1 : received > released;
  }

  // Whether a step is done and a beat is taken, given the neighbours.
  void decide(bool input_valid, bool output_ready) {
    const bool go = plan.latency ? output_ready || !valid : output_ready && valid;
    if (buffered()) {
      ready = received - released < plan.capacity;
      steps = go && base + plan.need[step] <= received;
    } else {
      ready = go && consumes();
      steps = go && (!consumes() || input_valid);
    }
    moves = go;
  }
  bool moves = false;  // the pipeline advances

  // Returns whether anything changed.
  bool advance(bool input_valid) {
    const bool taken = ready && input_valid;
    bool emitted = false;
    const int64_t before = released;
    if (steps) {
      emitted = plan.emit[step];
      released = base + plan.release[step];
      if (++step == plan.steps) {
        base += plan.release[plan.steps - 1];
        step = 0;
      }
    }
    received += taken;
    const uint64_t old = pipe;
    if (plan.latency && moves) pipe = (pipe << 1 | emitted) & ((uint64_t{1} << plan.latency) - 1);
    if (received - released > peak) peak = received - released;
    return steps || taken || released != before || pipe != old;
  }
};

}  // namespace

// Runs `frames` frames through the chain. The source always has a beat, the sink always takes.
// first_in, first_out, last_out: per frame, the cycle of the first input, first and last output
// beat. beats_out (may be null): the cycle of every output beat. Returns the number of cycles, or
// -1 - cycle where nothing can move any more; received and emitted then tell where it stuck.
extern "C" int64_t run_chain(const Schedule* plans, int64_t count, int64_t frames, int64_t beats_in,
                             int64_t beats_out, int64_t* first_in, int64_t* first_out,
                             int64_t* last_out, int64_t* out_cycles, int64_t* peaks,
                             int64_t* received) {
  std::vector<Stage> stages(count);
  for (int64_t i = 0; i < count; i++) stages[i].plan = plans[i];
  int64_t sent = 0, got = 0, cycle = 0;
  const int64_t sent_end = frames * beats_in, got_end = frames * beats_out;
  bool moving = true;
  for (; got < got_end && moving; cycle++) {
    for (auto& stage : stages) stage.show();
    bool output_ready = true;
    const bool source = sent < sent_end;
    for (int64_t i = count; i-- > 0;) {
      stages[i].decide(i ? stages[i - 1].valid : source, output_ready);
      output_ready = stages[i].ready;
    }
    if (stages[count - 1].valid) {
      if (got % beats_out == 0) first_out[got / beats_out] = cycle;
      if (got % beats_out == beats_out - 1) last_out[got / beats_out] = cycle;
      if (out_cycles) out_cycles[got] = cycle;
      got++;
    }
    if (source && stages[0].ready) {
      if (sent % beats_in == 0) first_in[sent / beats_in] = cycle;
      sent++;
    }
    moving = false;
    bool input_valid = source;
    for (auto& stage : stages) {
      const bool next_valid = stage.valid;  // as it was in this cycle
      moving |= stage.advance(input_valid);
      input_valid = next_valid;
    }
  }
  for (int64_t i = 0; i < count; i++) {
    peaks[i] = stages[i].peak;
    received[i] = stages[i].received;
  }
  return got == got_end ? cycle : -1 - cycle;
}

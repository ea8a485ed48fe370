// SPDX-License-Identifier: BSD-3-Clause
// The cycle model: a graph of stages, counters and handshakes only, from event to event.
// What a stage does is data (see `Schedule` in bonn_hw/ir/schedule.py); nothing here knows layers.
// `stepping.cpp` computes the same, but simulates every cycle.
//
// A stage runs ahead on its own until it needs a cycle that is not known yet: the one in which an
// input beat is offered, or in which an output beat is accepted. The order of stages does not matter,
// since no cycle is ever corrected. Steps that move no beat are skipped.
//
// A stage counts its ticks: the cycles in which its pipeline advances. An output beat reaches the
// wire `latency` ticks after its step; from then until it is accepted there are no ticks. So the
// cycle of a tick is the number of ticks plus the number of stalled cycles before it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

constexpr int64_t NONE = -1;
constexpr int64_t UNLIMITED = int64_t{1} << 40;  // capacity of a queue that nothing fills
constexpr int64_t MOST_REGISTERS = 32;  // behind a step
constexpr int64_t CHUNKS = 8;  // parts in which a frame is let in: bounds how far stages run ahead

struct Event {
  int32_t gap;      // steps from the event before, this one included
  int32_t need;     // input beats that must have come, more than before
  int32_t release;  // input beats given back after it
  int32_t emit;     // whether it sends an output beat
};

struct Plan {
  const Event* events;  // repeated for ever
  int64_t count;
  int64_t first_gap, first_need;  // of the very first event
  int64_t steps;     // of a frame
  int64_t capacity;  // beats held at most; 0: taken from the wire by the step itself
  int64_t latency;   // registers behind a step; 0: the oldest held beat is on the wire
};

struct Link {
  int64_t source, sink;  // stages; -1: the outside
};

// Cycles by beat, the latest ones kept.
class Log {
 public:
  int64_t operator[](int64_t beat) const { return cycles_[beat & mask_]; }
  int64_t end() const { return end_; }
  // Beats below `keep` are not asked for any more.
  void push(int64_t cycle, int64_t keep) {
    keep = std::max<int64_t>(keep, 0);
    if (end_ - keep > mask_) grow(keep);
    cycles_[end_++ & mask_] = cycle;
  }

 private:
  void grow(int64_t keep) {
    const int64_t mask = 2 * mask_ + 1;
    std::vector<int64_t> wider(mask + 1);
    for (int64_t beat = keep; beat < end_; beat++)
      wider[beat & mask] = cycles_[beat & mask_];
    cycles_.swap(wider);
    mask_ = mask;
  }

  std::vector<int64_t> cycles_ = std::vector<int64_t>(16);
  int64_t mask_ = 15, end_ = 0;
};

struct Stream {
  int64_t source, sink;
  int64_t offered = NONE;  // cycle from which its oldest beat, not yet taken, is on the wire
};

struct Stage {
  Plan plan;
  int64_t place;
  std::vector<Stream*> inputs, outputs;

  // Steps.
  int64_t at = 0;       // next event
  int64_t gap = 0;      // ticks to it
  int64_t need = 0, release = 0;  // input beats: what it waits for, given back with the last one
  int64_t tick = -1;    // of the last event; none before it is left
  int64_t stalls = 0;   // cycles in which the pipeline stood still, before `tick`

  // Input beats; cycles in which those that are held were taken and given back.
  int64_t received = 0;
  Log came, left;
  int64_t last_came = -1;

  // Output beats under way, by number: those before `open` have been taken.
  struct Flight {
    int64_t tick, stall;
  };
  int64_t head = 0;     // first whose stall may lie before the next step
  int64_t open = 0;     // first that has not been taken
  int64_t sent = 0;
  int64_t all_stalls = 0;  // those of all beats that have been taken
  bool offered = false, offering = false;
  int64_t shown = 0, taken = -1;  // cycles: on the wire; taken by the last of those that have
  std::size_t waiting = 0;       // outputs that have not

  // Of a queue: the most beats that it held, from comings and leavings in order; the longest that
  // its oldest beat was not taken.
  int64_t counted = 0, gone = 0, peak = 0;
  int64_t wait = 0;

  // No more than a tick's emission for each register are later than the last step.
  Flight flights[MOST_REGISTERS];
  Flight& flight(int64_t beat) { return flights[beat % MOST_REGISTERS]; }

  bool unlimited() const { return plan.capacity >= UNLIMITED; }

  void count(bool all = false) {
    while (counted < came.end() && (all || gone < left.end())) {
      if (gone < left.end() && left[gone] <= came[counted]) {
        gone++;
      } else {
        counted++;
        peak = std::max(peak, counted - gone);
      }
    }
  }
};

class Model {
 public:
  Model(const Plan* plans, int64_t count, const Link* links, int64_t streams)
      : stages(count), awake_((count + 63) / 64), streams_(streams) {
    for (int64_t i = 0; i < count; i++) {
      stages[i].plan = plans[i];
      stages[i].place = i;
      stages[i].gap = plans[i].first_gap;
      stages[i].need = plans[i].first_need;
    }
    for (int64_t i = 0; i < streams; i++) {
      Stream& stream = streams_[i];
      stream.source = links[i].source;
      stream.sink = links[i].sink;
      if (stream.source < 0) entry_ = &stream;
      else stages[stream.source].outputs.push_back(&stream);
      if (stream.sink >= 0) stages[stream.sink].inputs.push_back(&stream);
    }
  }

  // What the outside does; see run_events.
  int64_t frames, enough, patient, pace, beats_in, beats_out, period;
  const uint8_t *offers, *takes;
  int64_t *first_in, *first_out, *last_out, *out_cycles;
  int64_t got = 0;
  bool steady = false;

  // Runs until all frames are in and out, or steady, or nothing can move. Returns whether it is done.
  bool run() {
    for (int64_t i = 0; i < int64_t(stages.size()); i++) {
      slowest_ = std::max(slowest_, stages[i].plan.steps);
      wake(i);
    }
    const int64_t end = frames * beats_in;
    for (;;) {
      while (!done() && advance_first()) {
      }
      if (done() || let_ == end) return done();
      let_ = std::min(end, let_ + std::max<int64_t>(1, beats_in / CHUNKS));
      let_in();
    }
  }

  bool done() const {
    return steady || (got == frames * beats_out && entered_ == frames * beats_in);
  }

  // Two bits: a beat is offered, a beat would be taken.
  int64_t state(int64_t place) const {
    const Stream& stream = streams_[place];
    bool ready = true;
    if (stream.sink >= 0) {
      const Stage& sink = stages[stream.sink];
      if (sink.plan.capacity) {
        ready = sink.received - sink.left.end() < sink.plan.capacity;
      } else {
        ready = !sink.offered && sink.need > sink.received;
        if (sink.inputs.size() > 1)
          for (const Stream* input : sink.inputs) ready &= input->offered != NONE;
      }
    }
    return int64_t{stream.offered != NONE} | int64_t{ready} << 1;
  }

  std::vector<Stage> stages;
  int64_t latest = 0;  // cycle in which the last beat moved over a stream

 private:
  void wake(int64_t place) { awake_[place >> 6] |= uint64_t{1} << (place & 63); }

  bool advance_first() {
    for (std::size_t word = 0; word < awake_.size(); word++) {
      if (!awake_[word]) continue;
      const int bit = __builtin_ctzll(awake_[word]);
      awake_[word] &= awake_[word] - 1;
      Stage& stage = stages[word * 64 + bit];
      if (stage.plan.latency) advance(stage);
      return true;
    }
    return false;
  }

  // Steps as far as inputs and outputs are known.
  void advance(Stage& stage) {
    const bool holds = stage.plan.capacity > 0;
    for (;;) {
      const int64_t need = stage.need;
      int64_t arrival = 0;
      bool takes = false;
      if (holds) {
        if (need > stage.received) return;
        if (need > 0) arrival = stage.came[need - 1] + 1;
      } else if (need > stage.received) {
        takes = true;
        for (const Stream* input : stage.inputs) {
          if (input->offered == NONE) return;
          arrival = std::max(arrival, input->offered);
        }
      }
      int64_t tick = std::max(stage.tick + stage.gap, arrival - stage.stalls);
      while (stage.head < stage.sent && stage.flight(stage.head).tick <= tick) {
        if (stage.head == stage.open) return;  // its output is not known to be taken
        const Stage::Flight passed = stage.flight(stage.head++);
        stage.stalls += passed.stall;
        // The stall's last cycle is the tick that waited for it: no step lies before.
        const int64_t behind = passed.tick - stage.tick;
        if (behind > stage.gap) stage.gap = behind;
        tick = std::max(stage.tick + stage.gap, arrival - stage.stalls);
      }
      const int64_t cycle = tick + stage.stalls;
      stage.tick = tick;
      const Event& event = stage.plan.events[stage.at];
      const int64_t release = stage.release += event.release;
      if (++stage.at == stage.plan.count) stage.at = 0;
      stage.gap = stage.plan.events[stage.at].gap;
      stage.need += stage.plan.events[stage.at].need;
      const bool late = event.emit && stage.open != stage.sent;  // others are under way
      if (late) stage.flight(stage.sent++).tick = tick + stage.plan.latency;
      if (takes) {
        stage.received++;
        for (Stream* input : stage.inputs) take(*input, cycle);
      } else if (holds) {
        while (stage.left.end() < release) give_back(stage, cycle);
      }
      if (!event.emit || (!late && passes(stage, tick + stage.plan.latency))) continue;
      if (!late) stage.flight(stage.sent++).tick = tick + stage.plan.latency;
      offer(stage);
    }
  }

  // Gives the next output beat to a buffer, if that takes it at once: then it stalls nothing, and
  // need not be kept in mind. No other is under way.
  bool passes(Stage& stage, int64_t tick) {
    if (stage.outputs.size() > 1 || stage.outputs[0]->sink < 0) return false;
    Stage& sink = stages[stage.outputs[0]->sink];
    const int64_t cycle = tick + stage.all_stalls, freed = sink.received - sink.plan.capacity;
    if (!sink.plan.capacity || freed >= sink.left.end() || cycle <= sink.last_came) return false;
    if (freed >= 0 && cycle <= sink.left[freed]) return false;
    come(sink, cycle);
    return true;
  }

  // A buffer takes a beat.
  void come(Stage& stage, int64_t cycle) {
    const int64_t unused = stage.plan.latency ? stage.left.end() : stage.open;
    stage.came.push(cycle, stage.plan.latency ? unused : std::min(unused, stage.counted));
    stage.last_came = cycle;
    stage.received++;
    latest = std::max(latest, cycle);
    if (stage.plan.latency) {
      wake(stage.place);
    } else {
      stage.count();
      offer(stage);
    }
  }

  // Offers output beats in turn, as long as the one before is taken at once.
  void offer(Stage& stage) {
    if (stage.offering || stage.offered) return;
    stage.offering = true;
    while (!stage.offered && stage.open < (stage.plan.latency ? stage.sent : stage.received)) {
      if (stage.plan.latency) stage.shown = stage.flight(stage.open).tick + stage.all_stalls;
      else stage.shown = std::max(stage.came[stage.open], stage.taken) + 1;
      stage.taken = stage.shown;
      stage.offered = true;
      stage.waiting = stage.outputs.size();
      for (Stream* output : stage.outputs) {
        output->offered = stage.shown;
        present(*output);
      }
    }
    stage.offering = false;
  }

  void present(Stream& stream) {
    if (stream.sink < 0) leave(stream);
    else if (stages[stream.sink].plan.capacity) accept(stages[stream.sink]);
    else wake(stream.sink);
  }

  // Takes the offered beat into a buffer, if it is known when there is room.
  void accept(Stage& stage) {
    Stream& input = *stage.inputs[0];
    const int64_t freed = stage.received - stage.plan.capacity;  // beat whose place is taken
    if (input.offered == NONE || freed >= stage.left.end()) return;
    int64_t cycle = std::max(input.offered, stage.last_came + 1);
    input.offered = NONE;
    if (freed >= 0) cycle = std::max(cycle, stage.left[freed] + 1);
    come(stage, cycle);
    take(input, cycle);
  }

  void give_back(Stage& stage, int64_t cycle) {
    const int64_t asked = stage.unlimited() ? stage.gone : stage.received - stage.plan.capacity;
    stage.left.push(cycle, stage.plan.latency ? asked : std::min(asked, stage.gone));
    if (!stage.plan.latency) stage.count();
    accept(stage);
  }

  // The sink of a stream takes the offered beat.
  void take(Stream& stream, int64_t cycle) {
    stream.offered = NONE;
    latest = std::max(latest, cycle);
    if (stream.source < 0) {
      enter(cycle);
      return;
    }
    Stage& stage = stages[stream.source];
    stage.taken = std::max(stage.taken, cycle);
    if (--stage.waiting) return;
    stage.offered = false;
    stage.open++;
    if (stage.plan.latency) {
      const int64_t stall = stage.taken - stage.shown;
      stage.flight(stage.open - 1).stall = stall;
      stage.all_stalls += stall;
    } else {
      stage.wait = std::max(stage.wait, stage.taken - stage.shown);
      give_back(stage, stage.taken);
    }
    if (stage.offering) return;
    if (stage.plan.latency) wake(stage.place);
    offer(stage);
  }

  // The source: a beat at a time, each not before it is due.
  void let_in() {
    if (letting_) return;
    letting_ = true;
    while (entered_ < let_ && entry_->offered == NONE) {
      const int64_t due = std::max(last_entered_ + 1, entered_ * pace / beats_in);
      entry_->offered = next(offers, due);
      present(*entry_);
    }
    letting_ = false;
  }

  int64_t next(const uint8_t* pattern, int64_t cycle) const {
    while (!pattern[cycle % period]) cycle++;
    return cycle;
  }

  void enter(int64_t cycle) {
    if (entered_ % beats_in == 0) first_in[entered_ / beats_in] = cycle;
    entered_++;
    last_entered_ = cycle;
    let_in();
  }

  void leave(Stream& stream) {
    const int64_t cycle = next(takes, stream.offered);
    if (got < frames * beats_out && !steady) {  // a Pad may send its border before the frame arrives
      if (got % beats_out == 0) first_out[got / beats_out] = cycle;
      out_cycles[got++] = cycle;
      if (got % beats_out == 0) frame_out(got / beats_out, cycle);
    }
    take(stream, cycle);
  }

  void frame_out(int64_t count, int64_t cycle) {
    last_out[count - 1] = cycle;
    if (count < 4) return;
    const int64_t* last = last_out + count - 1;
    const int64_t gap = last[0] - last[-1];
    const bool same = last[-1] - last[-2] == gap && last[-2] - last[-3] == gap;
    steady = same && count >= (gap <= slowest_ ? enough : patient);
  }

  std::vector<uint64_t> awake_;  // stages that may go on
  std::vector<Stream> streams_;
  Stream* entry_ = nullptr;
  int64_t let_ = 0, entered_ = 0, last_entered_ = -1;
  bool letting_ = false;
  int64_t slowest_ = 0;
};

}  // namespace

// Runs `frames` frames through the graph, or until three intervals between last output beats are the
// same: from frame `enough` on if they are those of the slowest stage, else from frame `patient` on,
// since a stage may have to fall behind for some frames before the queue before it never runs dry.
// The source has beat k of all from cycle k * pace / beats_in on; with pace 0 it always has one. It
// begins to show a beat where `offers`, and the sink takes one where `takes`, by cycle modulo period.
// first_in, first_out, last_out: per frame, the cycle of the first input, first and last output
// beat; out_cycles: the cycle of every output beat; peaks, waits: the most beats that each queue held,
// and the most cycles that its oldest one was not taken.
// Returns the number of frames that have left. If beats stop moving before all have, stuck_after is
// the last cycle in which a beat moved, and states has for each stream whether a beat is offered
// (bit 0) and whether one would be accepted (bit 1).
extern "C" int64_t run_events(const Plan* plans, int64_t count, const Link* links, int64_t streams,
                              int64_t frames, int64_t enough, int64_t patient, int64_t pace,
                              int64_t beats_in, int64_t beats_out, int64_t period,
                              const uint8_t* offers, const uint8_t* takes, int64_t* first_in,
                              int64_t* first_out, int64_t* last_out, int64_t* out_cycles,
                              int64_t* peaks, int64_t* waits, int64_t* states, int64_t* stuck_after) {
  Model model(plans, count, links, streams);
  model.frames = frames;
  model.enough = enough;
  model.patient = patient;
  model.pace = pace;
  model.beats_in = beats_in;
  model.beats_out = beats_out;
  model.period = period;
  model.offers = offers;
  model.takes = takes;
  model.first_in = first_in;
  model.first_out = first_out;
  model.last_out = last_out;
  model.out_cycles = out_cycles;
  const bool done = model.run();
  for (int64_t i = 0; i < count; i++) {
    if (!plans[i].latency) model.stages[i].count(true);
    peaks[i] = model.stages[i].peak;
    waits[i] = model.stages[i].wait;
  }
  for (int64_t i = 0; i < streams; i++) states[i] = model.state(i);
  if (!done) *stuck_after = model.latest;
  return model.got / beats_out;
}

// SPDX-License-Identifier: BSD-3-Clause
// The cycle model of events.cpp, but simulating every cycle: simple, and the reference of its tests.
// What a stage does is data (see `Schedule` in bonn_hw/ir/schedule.py); nothing here knows layers.
//
// Stages are in topological order. `ready` runs against the data and `valid` comes from registers
// alone, so one sweep from the last stage to the first decides and advances a cycle: a stage reads
// its consumers' `ready` of this cycle and its producers' `valid`, which they change only later in
// the sweep. A stage in which nothing moved sleeps until the state of one of its streams changes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

struct Schedule {
  const int64_t* need;     // input beats of the repetition that step i waits for
  const int64_t* release;  // input beats given back after step i, in total
  const uint8_t* emit;     // whether step i sends an output beat
  int64_t steps;
  int64_t repeats;   // of these steps, in a frame
  int64_t capacity;  // beats held at most; 0: taken from the wire by the step itself
  int64_t latency;   // registers behind a step; 0: the oldest held beat is on the wire
};

struct Link {
  int64_t source, sink;  // stages; -1: the outside
};

struct Stream {
  int64_t source, sink;
  bool valid = false, ready = false;
};

struct Stage {
  Schedule plan;
  std::vector<Stream*> inputs, outputs;
  int64_t step = 0;      // next step of the repetition
  int64_t base = 0;      // input beats of all repetitions before
  int64_t received = 0;  // input beats taken, of each input
  int64_t released = 0;  // input beats given back
  uint64_t pipe = 0;     // output beats under way, the last register highest
  uint64_t given = 0;    // outputs that have taken the last register's beat
  int64_t peak = 0;      // most beats held
  int64_t shown = -1;    // cycle from which the oldest one is on the wire; -1: none is
  int64_t wait = 0;      // most cycles that one was not taken

  bool last() const {
    return plan.latency ? pipe >> (plan.latency - 1) & 1 : received > released;
  }
};

// Stages to look at, as bits.
class Set {
 public:
  explicit Set(int64_t size) : words_((size + 63) / 64) {}
  void add(int64_t place) { words_[place >> 6] |= uint64_t{1} << (place & 63); }
  void swap(Set& other) { words_.swap(other.words_); }
  bool empty() const {
    for (const uint64_t word : words_)
      if (word) return false;
    return true;
  }
  // Calls `visit` from the highest to the lowest; it may add lower ones.
  template <typename Visit>
  void drain(Visit visit) {
    for (int64_t word = words_.size(); word-- > 0;) {
      while (words_[word]) {
        const int bit = 63 - __builtin_clzll(words_[word]);
        words_[word] &= ~(uint64_t{1} << bit);
        visit(word * 64 + bit);
      }
    }
  }

 private:
  std::vector<uint64_t> words_;
};

class Model {
 public:
  Model(const Schedule* plans, int64_t count, const Link* links, int64_t streams)
      : stages(count), streams_(streams), now_(count), next_(count) {
    for (int64_t i = 0; i < count; i++) {
      stages[i].plan = plans[i];
      next_.add(i);
    }
    for (int64_t i = 0; i < streams; i++) {
      Stream& stream = streams_[i];
      stream.source = links[i].source;
      stream.sink = links[i].sink;
      if (stream.source < 0) entry = &stream;
      else stages[stream.source].outputs.push_back(&stream);
      if (stream.sink < 0) exit = &stream;
      else stages[stream.sink].inputs.push_back(&stream);
    }
  }

  // The outside, before each cycle.
  void set(bool valid, bool ready) {
    if (valid != entry->valid) next_.add(entry->sink);
    if (ready != exit->ready) next_.add(exit->source);
    entry->valid = valid;
    exit->ready = ready;
  }

  bool idle() const { return next_.empty(); }

  void cycle(int64_t number) {
    now = number;
    now_.swap(next_);
    now_.drain([this](int64_t place) { sweep(place); });
  }

  // Two bits: a beat is offered, a beat would be taken.
  int64_t state(int64_t stream) const {
    return streams_[stream].valid | streams_[stream].ready << 1;
  }

  std::vector<Stage> stages;
  Stream* entry = nullptr;
  Stream* exit = nullptr;
  int64_t now = 0, latest = 0;  // cycle; the last one in which a beat moved over a stream

 private:
  void sweep(int64_t place) {
    Stage& stage = stages[place];
    const Schedule& plan = stage.plan;
    const bool last = stage.last();
    bool go = true;  // the pipeline advances
    if (last) {
      for (std::size_t o = 0; o < stage.outputs.size(); o++)
        go &= stage.outputs[o]->ready || (stage.given >> o & 1);
    }
    if (last && go && !plan.latency) {
      stage.wait = std::max(stage.wait, now - stage.shown);
      stage.shown = -1;
    }
    bool offered = true;
    for (const Stream* input : stage.inputs) offered &= input->valid;
    bool ready, steps;
    if (plan.capacity > 0) {
      ready = stage.received - stage.released < plan.capacity;
      steps = go && (plan.latency || last) && stage.base + plan.need[stage.step] <= stage.received;
    } else {
      const bool consumes = stage.base + plan.need[stage.step] > stage.received;
      // A join takes a beat of all its inputs or of none.
      ready = go && consumes && (offered || stage.inputs.size() == 1);
      steps = go && (!consumes || offered);
    }
    for (Stream* input : stage.inputs) {
      if (input->ready == ready) continue;
      input->ready = ready;
      if (input->source >= 0) now_.add(input->source);
    }

    const bool taken = ready && offered;
    bool changed = steps || taken, emitted = false;
    if (steps) {
      emitted = plan.emit[stage.step];
      stage.released = stage.base + plan.release[stage.step];
      if (++stage.step == plan.steps) {
        stage.base += plan.release[plan.steps - 1];
        stage.step = 0;
      }
    }
    stage.received += taken;
    if (taken) latest = now;
    if (stage.received - stage.released > stage.peak) stage.peak = stage.received - stage.released;
    if (go) {
      stage.given = 0;
      if (plan.latency) {
        const uint64_t old = stage.pipe;
        stage.pipe = (old << 1 | emitted) & ((uint64_t{1} << plan.latency) - 1);
        changed |= old != stage.pipe;
      }
    } else {
      for (std::size_t o = 0; o < stage.outputs.size(); o++)
        stage.given |= uint64_t{stage.outputs[o]->ready} << o;
    }
    if (changed) next_.add(place);
    const bool valid = stage.last();
    if (valid && stage.shown < 0) stage.shown = now + 1;
    for (std::size_t o = 0; o < stage.outputs.size(); o++) {
      Stream* output = stage.outputs[o];
      const bool shown = valid && !(stage.given >> o & 1);
      if (output->valid == shown) continue;
      output->valid = shown;
      if (output->sink >= 0) next_.add(output->sink);
    }
  }

  std::vector<Stream> streams_;
  Set now_, next_;
};

bool same_gaps(const int64_t* times) {
  const int64_t gap = times[1] - times[0];
  return times[2] - times[1] == gap && times[3] - times[2] == gap;
}

}  // namespace

// Runs frames as run_events in events.cpp does; see its comment for the arguments.
extern "C" int64_t run_steps(const Schedule* plans, int64_t count, const Link* links,
                             int64_t streams, int64_t frames, int64_t enough, int64_t patient,
                             int64_t pace, int64_t beats_in, int64_t beats_out, int64_t period,
                             const uint8_t* offers, const uint8_t* takes, int64_t* first_in,
                             int64_t* first_out, int64_t* last_out, int64_t* out_cycles,
                             int64_t* peaks, int64_t* waits, int64_t* states, int64_t* stuck_after) {
  Model model(plans, count, links, streams);
  const int64_t sent_end = frames * beats_in, got_end = frames * beats_out;
  int64_t sent = 0, got = 0, cycle = 0;
  int64_t slowest = 0;
  for (int64_t i = 0; i < count; i++) slowest = std::max(slowest, plans[i].steps * plans[i].repeats);
  bool offered = false, stuck = false, steady = false;
  for (; (got < got_end || sent < sent_end) && !stuck && !steady; cycle++) {
    offered |= sent < sent_end && cycle >= sent * pace / beats_in && offers[cycle % period];
    model.set(offered, takes[cycle % period]);
    const bool comes = sent < sent_end && !offered, goes = model.exit->valid;
    const bool given = goes && model.exit->ready;
    stuck = model.idle() && !comes && !goes;
    model.cycle(cycle);
    if (given) {
      model.latest = cycle;
    }
    if (given && got < got_end) {  // a Pad may send its border before the frame arrives
      if (got % beats_out == 0) first_out[got / beats_out] = cycle;
      out_cycles[got++] = cycle;
      if (got % beats_out == 0) {
        const int64_t done = got / beats_out;
        last_out[done - 1] = cycle;
        const int64_t gap = done > 1 ? cycle - last_out[done - 2] : 0;
        steady = done >= (gap <= slowest ? enough : patient) && same_gaps(last_out + done - 4);
      }
    }
    if (model.entry->valid && model.entry->ready) {
      if (sent % beats_in == 0) first_in[sent / beats_in] = cycle;
      sent++;
      offered = false;
    }
  }
  for (int64_t i = 0; i < count; i++) {
    peaks[i] = model.stages[i].peak;
    waits[i] = model.stages[i].wait;
  }
  for (int64_t i = 0; i < streams; i++) states[i] = model.state(i);
  if (stuck) *stuck_after = model.latest;
  return got / beats_out;
}

# SPDX-License-Identifier: BSD-3-Clause
"""Programs: their output, their failures, and that they end with us, whatever ends us."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bonn_hw import tools
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.tools import processes
from tests.support.processes import ended, fork, gone

# A tool with a child, as make and g++ are; both write their numbers. STUBBORN: TERM is ignored.
TREE = "sleep 300 & echo $! >> {pids}; echo $$ >> {pids}; echo started; wait"
STUBBORN = "trap '' TERM; " + TREE.replace("wait", "while :; do wait; done")


def pids_in(path, count=2, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = path.read_text().split() if path.exists() else []
        if len(found) >= count:
            return [int(number) for number in found]
        time.sleep(0.02)
    raise AssertionError(f"{path} has not {count} numbers")


# -- running ---------------------------------------------------------------------------------------


def test_output_goes_to_the_log_and_line_by_line_to_progress(tmp_path):
    log, lines = tmp_path / "log", []
    command = ["sh", "-c", "echo one; echo two >&2; cat; pwd; exit 3"]
    done = tools.run(command, cwd=tmp_path, log=log, on_line=lines.append, given="three\n")
    assert lines == ["one", "two", "three", str(tmp_path)]
    assert done.output == log.read_text() == "".join(f"{line}\n" for line in lines)
    assert (done.program, done.code, done.log) == ("sh", 3, log)


def test_a_failure_is_told_with_the_last_lines_and_the_log(tmp_path):
    done = tools.run(["sh", "-c", "seq 20; exit 4"], log=tmp_path / "log")
    last = "\n".join(map(str, range(6, 21)))
    assert done.failure == f"sh failed (exit code 4); see {tmp_path / 'log'}:\n{last}"
    assert tools.run(["sh", "-c", "kill -9 $$"]).failure == "sh failed (signal 9):\nno output"


@pytest.mark.parametrize(
    "text", ["kill -9 $$", "kill -15 $$", "echo 'Killed signal terminated program cc1'; exit 1"]
)
def test_a_program_that_was_stopped_from_outside_is_no_bug(text):
    error = tools.run(["sh", "-c", text]).error("a bug")
    assert isinstance(error, UserError)
    assert str(error) == (
        "sh was stopped from outside, as where memory runs out: free some, "
        "and run the command again"
    )
    bug = tools.run(["sh", "-c", "kill -11 $$"]).error("a bug")
    assert (type(bug), str(bug)) == (RuntimeError, "a bug")


def test_bytes_that_are_no_text_do_no_harm():
    assert tools.run(["printf", r"\377a\n"]).output == "\ufffda\n"


def test_a_program_that_does_not_read_its_input():
    assert tools.run(["true"], given="x" * 1_000_000).code == 0


def test_a_missing_program_is_told(tmp_path):
    with pytest.raises(ToolMissing) as error:
        tools.run(["no-such-tool", "--version"])
    assert str(error.value) == (
        "the program 'no-such-tool' cannot be started: there is no such file, or the interpreter "
        "that it names is missing; install it again"
    )
    with pytest.raises(ToolMissing) as error:
        tools.find("no-such-tool", "install it with 'apt install no-such-tool'")
    assert str(error.value) == (
        "the program 'no-such-tool' is not on PATH: install it with 'apt install no-such-tool'"
    )
    (tmp_path / "own").write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match=r"own cannot be executed \(Permission denied\)"):
        tools.run([tmp_path / "own"])
    (tmp_path / "own").chmod(0o755)
    assert tools.find("own", "", [tmp_path]) == tmp_path / "own"
    assert tools.run([tmp_path / "own"]).code == 0


def test_a_program_that_does_not_answer_is_ended(tmp_path):
    pids = tmp_path / "pids"
    with pytest.raises(UserError, match=r"sh has not ended after 0\.5 s: check its installation"):
        tools.run(["sh", "-c", TREE.format(pids=pids)], timeout_s=0.5)
    assert all(gone(number) for number in pids_in(pids))


# -- ending ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [TREE, STUBBORN])
@pytest.mark.parametrize("patience_s", [0, 0.5])
def test_an_exception_ends_the_program_and_its_children(script, patience_s, tmp_path):
    pids = tmp_path / "pids"

    def stop(line):
        raise RuntimeError(line)

    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="started"):
        tools.run(["sh", "-c", script.format(pids=pids)], on_line=stop, patience_s=patience_s)
    assert time.monotonic() - begin < 20
    assert all(gone(number) for number in pids_in(pids))


def test_a_request_to_end_comes_before_force(tmp_path):
    told = tmp_path / "told"
    script = f"trap 'echo asked > {told}; exit 0' TERM; echo started; while :; do sleep 0.1; done"

    def stop(line):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tools.run(["sh", "-c", script], on_line=stop)
    assert told.read_text() == "asked\n"


def test_a_started_program_ends_with_its_block(tmp_path):
    with tools.started(["cat"], cwd=tmp_path) as process:
        process.stdin.write(b"\x00\xff\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"\x00\xff\n"
    assert process.returncode == -signal.SIGTERM


def test_the_first_failure_ends_the_programs_of_all_threads(tmp_path):
    pids = tmp_path / "pids"

    def work(place):
        if place == 0:
            pids_in(pids, 4)
            raise ValueError("first")
        return tools.run(["sh", "-c", TREE.format(pids=pids)]).code

    begin = time.monotonic()
    with pytest.raises(ValueError, match="first"), tools.threads(3) as pool:
        list(pool.map(work, range(9)))
    assert time.monotonic() - begin < 30
    numbers = pids_in(pids, 4)
    # Those that wait do not start, but for one that the free thread may take before it is told.
    assert len(numbers) in (4, 6)
    assert all(gone(number) for number in numbers)


# What is run in a process that is sent a signal: one tool, threads of tools, a program with pipes.
WAYS = {
    "run": "tools.run(tool, log=Path('log'))",
    "threads": "list(pool.map(lambda _: tools.run(tool), range(4)))",
    "started": "stack.enter_context(tools.started(tool, patience_s=0)); time.sleep(300)",
}
PROGRAM = """
    import sys, time
    from contextlib import ExitStack
    from pathlib import Path
    from bonn_hw import tools
    tool = ["sh", "-c", sys.argv[1]]
    try:
        with tools.ended_by_signals(), ExitStack() as stack:
            pool = stack.enter_context(tools.threads(2))
            {way}
    except (KeyboardInterrupt, tools.Terminated) as ended:
        print("clean", flush=True)
        sys.exit(getattr(ended, "status", 130))
"""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", CODES)
def test_signals_end_the_tools_and_then_us(way, number, tmp_path):
    pids = tmp_path / "pids"
    text = textwrap.dedent(PROGRAM).format(way=WAYS[way])
    command = [sys.executable, "-c", text, TREE.format(pids=pids)]
    environment = os.environ | {"PYTHONPATH": str(Path(tools.__file__).parents[2])}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # Under nohup, SIGHUP would be ignored, and stay so.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        numbers = pids_in(pids, 4 if way == "threads" else 2)
        process.send_signal(number)
        assert process.communicate(timeout=30)[0] == "clean\n"
    assert process.returncode == CODES[number]
    assert all(gone(one) for one in numbers)


def test_handlers_are_restored_and_ignored_signals_stay_ignored():
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with tools.ended_by_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # as nohup wants
            with pytest.raises(tools.Terminated) as error:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            os.kill(os.getpid(), signal.SIGTERM)  # what cleans up is not interrupted
        assert (error.value.code, error.value.status, error.value.name) == (143, 143, "SIGTERM")
    finally:
        signal.signal(signal.SIGHUP, ignored)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_fork_of_ours_ends_at_once():
    def work():
        with tools.ended_by_signals():
            inner = fork(lambda: time.sleep(60))
            time.sleep(0.2)
            os.kill(inner, signal.SIGTERM)
            return ended(inner) == -signal.SIGTERM

    assert ended(fork(work)) == 1


def test_a_signal_while_a_program_is_starting_waits_until_it_is_known(monkeypatch):
    real, made = processes._start, []

    def start(*arguments):
        made.append(real(*arguments))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)  # here the handler runs
        return made[0]

    monkeypatch.setattr(processes, "_start", start)
    with pytest.raises(tools.Terminated), tools.ended_by_signals():
        tools.run(["sleep", "300"])
    assert made[0].returncode == -signal.SIGTERM

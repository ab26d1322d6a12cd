"""What a person sees while it runs."""

import io
import time

import pytest
from rich.console import Console

from autobalance.cli._progress import Display


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def shown(terminal=False, width=40):
    out = io.StringIO()
    return Display(Console(file=out, force_terminal=terminal, width=width)), out


def test_elsewhere_than_on_a_terminal_each_step_is_a_line_with_figures_and_the_time_left(clock):
    display, out = shown()
    with display:
        display.phase("warm-up", 4)
        for done in range(1, 5):
            clock.now += 30
            display.step(done, f"validation objective {done}.5", name="search" if done > 2 else None)
    assert out.getvalue().splitlines() == [
        "warm-up   1/4  validation objective 1.5  1:30 left",
        "warm-up   2/4  validation objective 2.5  1:00 left",
        "search    3/4  validation objective 3.5  0:30 left",
        "search    4/4  validation objective 4.5  0:00 left",
    ]


def test_the_time_left_counts_the_steps_of_this_run_alone(clock):
    display, out = shown()
    with display:
        display.phase("search", 1000, done=900)
        clock.now += 120
        display.step(901, "x")
    assert out.getvalue().split("x")[1].strip() == "3:18:00 left"


def test_phases_of_short_steps_have_a_line_every_few_seconds_and_a_last_one(clock):
    display, out = shown()
    with display:
        display.phase("retrain", 30, quiet_for=5.0)
        for done in range(1, 31):
            clock.now += 1
            display.step(done, "ce, seed 0")
        display.phase("search", 2)
        for done in (1, 2):
            display.step(done, "y")
    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["5/30", "10/30", "15/30", "20/30", "25/30", "30/30", "1/2", "2/2"]


def test_a_line_of_its_own_is_printed_as_it_is():
    display, out = shown(width=20)
    with display:
        display.say("classes [bold]a[/bold] and /data/somewhere/very/far/away.npz")
    assert out.getvalue() == "classes [bold]a[/bold] and /data/somewhere/very/far/away.npz\n"


def test_a_terminal_has_a_bar_with_the_phase_the_figures_and_the_time_left():
    display, out = shown(terminal=True, width=120)
    with display:
        display.phase("warm-up", 4)
        display.step(1, "balanced error 12.3 %")
        display.step(2, "balanced error 10.1 %", name="search")
        display.phase("retrain", 3)
        display.step(3, "ce, seed 0")
    last = out.getvalue().split("\r")[-1]
    for text in ("search", "2/4", "balanced error 10.1 %", "retrain", "3/3", "ce, seed 0", "left"):
        assert text in out.getvalue(), text
    assert "━" in last and out.getvalue().count("\n") < 12  # bars, redrawn in place


def test_it_writes_to_standard_error(capsys):
    with Display() as display:
        display.say("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")

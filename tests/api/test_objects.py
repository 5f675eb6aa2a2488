"""Objects and single values where names and lists are taken; mistakes are told in words of Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import spfvar

BASE = spfvar.get_variant("mmap-lock")
PFT = spfvar.get_scenario("pft")
SKYLAKE = spfvar.get_hardware("skylake-2s56c")
RACE = spfvar.get_race("munmap-anon")
#: What no checker would let through.
ANYTHING: list[Any] = [3, RACE, 4, None]


def rates(frame: pd.DataFrame) -> list[float]:
    """Throughput of every row, in order."""
    return list(frame[frame["metric"] == "faults_per_s"]["value"])


def test_objects_give_what_their_names_give() -> None:
    """A variant, a load and a machine that came with spfvar, given as names in lists or as objects alone."""
    names = spfvar.compare("mmap-lock", scenarios=["pft"], threads=[2], hardware="skylake-2s56c", seeds=2)
    objects = spfvar.compare(BASE, scenarios=PFT, threads=2, hardware=SKYLAKE, seeds=2)
    pd.testing.assert_frame_equal(pd.DataFrame(names), pd.DataFrame(objects))


def test_new_objects_are_run_under_their_own_names() -> None:
    """A slower machine is slower; the run says that no command line can name what it was made of."""
    slow = SKYLAKE.model_copy(update={"cost_ns": {name: 9 * cost for name, cost in SKYLAKE.cost_ns.items()}})
    mine = replace(BASE, name="mine")
    frame = spfvar.compare(
        mine, scenarios={"my-load": PFT}, threads=1, hardware={"slow": slow}, baseline=BASE, seeds=2
    )
    assert list(frame["variant"].unique()) == ["mmap-lock", "mine"]
    assert set(frame["scenario"]) == {"my-load"}
    assert frame.attrs["hardware"] == "slow"
    baseline, own = rates(frame)
    assert own == baseline  # the same text
    assert own < 0.5 * rates(spfvar.compare(BASE, scenarios=PFT, threads=1, seeds=2))[0]
    assert frame.run.source.remarks == tuple(
        f"{name} was an object: no command line can name it" for name in ("mine", "my-load", "slow")
    )


def test_a_race_may_be_an_object() -> None:
    """Under the name it is given; its token is replayed with the object, and not without."""
    variant = spfvar.get_variant("spf-posted")
    frame = spfvar.check(variant, races={"my-race": RACE})
    assert frame["race"].tolist() == ["my-race"]
    [token] = frame["token"]
    assert spfvar.replay(token, races={"my-race": RACE}).outcome == "reproduced"
    with pytest.raises(spfvar.InputError, match="unknown race 'my-race'"):
        spfvar.replay(token)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: spfvar.compare("mmap-lok"), "unknown variant 'mmap-lok': did you mean 'mmap-lock'"),
        (lambda: spfvar.compare(ANYTHING[0]), "variant: a int is none; expected a name or a spfvar.Variant"),
        (lambda: spfvar.compare(scenarios="ptf"), "did you mean 'pft'"),
        (lambda: spfvar.compare(scenarios=ANYTHING[1:2]), "scenarios: a Race is no scenario"),
        (lambda: spfvar.compare(scenarios=ANYTHING[2]), "scenarios: a int is none; expected a name, a file or a spfvar.Scenario"),
        (
            lambda: spfvar.compare(scenarios=PFT.model_copy(update={"title": "mine"})),
            'scenarios: this scenario has no name; expected {"its-name": ...}',
        ),
        (lambda: spfvar.compare(scenarios={"file-cow": PFT}), "another scenario is called 'file-cow': shipped"),
        (lambda: spfvar.compare(scenarios={"a*": PFT}), "'a*' is no name"),
        (lambda: spfvar.compare(replace(BASE, title="x")), 'another variant is called "mmap-lock"'),
        (lambda: spfvar.compare(hardware={}), "hardware: 0 machines are given; expected one"),
        (lambda: spfvar.bisect("spf", scenarios="pft", hardware="*-2s*"), "hardware: '*-2s*' stands for 3 machines; expected one, as broadwell-2s28c"),
        (lambda: spfvar.why("spf-anon", "pft", hardware="*"), "hardware: '*' stands for"),
        (lambda: spfvar.compare(seeds=0), "seeds: 0 seeds; expected 1 to 1000"),
        (lambda: spfvar.compare(axes={"hit_rat": 1}), "axes: no chosen scenario has an axis 'hit_rat'"),
        (lambda: spfvar.compare(seeds=2, draws=2), "seeds and draws; expected one of them"),
        (lambda: spfvar.compare("mmap-lock", jobs=0), "jobs: 0 jobs; expected 1 or more"),
        (
            lambda: spfvar.compare(replace(BASE, name="mine"), on="tcp://nowhere:1"),
            "on: mine is an object, which other machines do not have; expected variants by name, with plugins",
        ),
        (
            lambda: spfvar.compare("mmap-lock", on="tcp://nowhere:1", jobs=2),
            "jobs: the cluster has its workers; expected on without it",
        ),
        (lambda: spfvar.check("mmap-lock", on="tcp://nowhere:1", jobs=2), "jobs: the cluster has its workers"),
        (lambda: spfvar.hunt("mmap-lock", on="tcp://nowhere:1", jobs=2), "jobs: the cluster has its workers"),
        (lambda: spfvar.load(), "no file given"),
        (lambda: spfvar.check(races="munmap-anom"), "did you mean 'munmap-anon'"),
        (lambda: spfvar.check(max_states=0), "max_states: 0 states; expected 1 or more"),
        (lambda: spfvar.check(seconds=0), "seconds: 0 seconds; expected more than 0"),
        (lambda: spfvar.check(seconds=1234567.89), "seconds: 1234567.89 seconds; expected more than 0, and no more than 86400"),
        (lambda: spfvar.check(walk=-1), "walk: -1 walks; expected 1 or more"),
        (lambda: spfvar.check(counts={"fault": 0}), "fault: '0' threads"),
        (lambda: spfvar.ablate("mmap-lock", barriers=True), "barriers: barriers guard nothing there"),
        (lambda: spfvar.hunt("mmap-lock", size=9), "size: 9 statements; expected 2 to 6"),
        (lambda: spfvar.hunt("mmap-lock", memories="x"), "memories: unknown memory 'x'"),
        (lambda: spfvar.hunt("mmap-lock", jobs=0), "jobs: 0 jobs"),
        (lambda: spfvar.coverage(writers=True, memory="lkmm"), "memory: writers are looked at one by one"),
        (lambda: spfvar.bisect("spf"), "expected races or scenarios, one of them"),
        (lambda: spfvar.bisect("spf", races=["munmap-anon"], metric="x"), "unknown metric 'x'"),
        (lambda: spfvar.report("spf-do-fault", generated=-1), "generated: -1 races"),
        (lambda: spfvar.report("spf-do-fault", number=2), "number: there is no patch to choose"),
        (lambda: spfvar.report("spf-do-fault", against=["spf-do-fault"]), "against: spf-do-fault is compared with itself"),
        (lambda: spfvar.why("mmap-lock", ["pft", "file-cow"]), "scenario: 2 loads are given; expected one"),
        (lambda: spfvar.validate("Z9"), "unknown published row 'Z9'"),
        (lambda: spfvar.validate(seeds=0), "seeds: 0 seeds"),
        (lambda: spfvar.replay(ANYTHING[3]), "token: a NoneType is none"),
        (lambda: spfvar.replay("a:b"), "it has not three parts"),
        (lambda: spfvar.load_review(__file__), "is no review; expected a file written by spfvar report --save"),
        (lambda: spfvar.get_race("munmap-anom"), "did you mean 'munmap-anon'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told(call: Callable[[], Any], said: str) -> None:
    """At once, and by the parameter's name, not by the option's."""
    with pytest.raises(spfvar.InputError) as error:
        call()
    assert said in str(error.value)


def test_a_plugin_that_cannot_be_used_is_warned_of_where_it_was_called(tmp_path: Path) -> None:
    """The others are run."""
    (tmp_path / "broken.py").write_text("VARIANTS = 3\n")
    with pytest.warns(UserWarning, match=r"broken.py: .*VARIANTS") as told:
        spfvar.coverage("mmap-lock", plugins=tmp_path / "broken.py")
    assert told[0].filename == __file__

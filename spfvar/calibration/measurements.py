"""What was measured of a host: data, in a file that can be fitted again, or elsewhere."""

from __future__ import annotations

import json
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spfvar.errors import InputError
from spfvar.model_errors import hidden_text
from spfvar.reading import read_file
from spfvar.scenario.hardware import Cpus

#: No file of these is larger.
MAX_BYTES: Final = 1 << 20
Positive = Annotated[float, Field(gt=0, le=1e8)]  # ns, GB/s, GHz or loops per second: 100 ms
PerSecond = Annotated[float, Field(ge=1, le=1e10)]  # 4096 threads of 2.4 million faults each


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Host(_Strict):
    """The machine and its kernel, as the system says; CPUs are those that the process may use."""

    title: str
    kernel: str
    architecture: str
    virtual: bool
    sockets: Cpus
    clusters_per_socket: Cpus
    cores_per_cluster: Cpus
    smt: Cpus
    ghz: Positive | None = None

    @property
    def cpus(self) -> int:
        """Logical CPUs."""
        return self.sockets * self.clusters_per_socket * self.cores_per_cluster * self.smt


class Rate(_Strict):
    """Faults per second of a load (a scenario at its defaults) at a number of threads.

    ``value`` is the best sample, ``usual`` the median: what else runs on the host only ever slows it down.
    """

    load: str
    threads: Annotated[int, Field(ge=1, le=4096)]
    value: PerSecond
    usual: PerSecond


class Measurements(_Strict):
    """All of it.  ``figures``: ns, or GB/s, by what was measured; ``missing``: what was not, and why."""

    host: Host
    rates: list[Rate]
    figures: dict[str, Positive]
    missing: dict[str, str]
    noise: Annotated[float, Field(ge=0, le=1e6)]

    def text(self) -> str:
        """As a file."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def load_measurements(path: str) -> Measurements:
    """Read such a file.  Raises InputError, also for hidden characters, and without a first rate."""
    try:
        found = Measurements.model_validate_json(read_file(path, MAX_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or None
        raise InputError(f"no measurements: {first['msg']}", file=path, key=place) from error
    if (unseen := hidden_text(found.model_dump())) is not None:
        raise unseen[0].located(file=path)
    if not any(rate.threads == 1 for rate in found.rates):
        raise InputError(
            "no rate of one thread", file=path, key="rates", expected="one, at which a fit begins"
        )
    return found

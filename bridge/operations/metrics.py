"""Metrics in Prometheus' format, one registry per application.

Rule: no label ever holds an organization, a person or an id: the number of series is bounded by
routes, statuses and configured backends.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BACKEND_GAUGES = {
    "bridge_journal_depth": "Resources with changes that the backend does not hold yet",
    "bridge_delivery_lag_seconds": "Age of the oldest change that the backend does not hold yet",
    "bridge_parked": "Resources that wait for a person",
    "bridge_held": "Resources whose changes the guard against mass changes holds back",
    "bridge_circuit_open": "1 while the backend cannot be reached",
    "bridge_backend_disabled": "1 while the backend is sent nothing until a person resumes it",
}


class Metrics:
    """What is counted while requests are answered."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "bridge_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "bridge_request_seconds",
            "Time from the first byte read to the last byte written",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "bridge_token_failures", "Requests without a valid token", registry=self.registry
        )
        self._tolerated = Counter(
            "bridge_tolerated",
            "Departures from the SCIM standard that were accepted",
            ["profile", "quirk"],
            registry=self.registry,
        )
        Gauge("bridge_build", "Always 1", ["version"], registry=self.registry).labels(
            __version__
        ).set(1)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def refused(self) -> None:
        """Count one request whose token is not valid."""
        self._refused.inc()

    def tolerated(self, profile: str, quirks: Iterable[str]) -> None:
        """Count what was accepted in one request of a connection with this profile."""
        for quirk in quirks:
            self._tolerated.labels(profile, str(quirk)).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format; reads the journal."""
        return generate_latest(self.registry)


class DeliveryCounts(Collector):
    """Tells how attempts to deliver ended, by backend, since the process started."""

    def __init__(self, read: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        """`read` returns, by backend name, a count for each kind of outcome."""
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the counts exist only once deliveries run."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the one counter family."""
        family = CounterMetricFamily(
            "bridge_deliveries", "Attempts to deliver that ended so", labels=["backend", "result"]
        )
        for backend, outcomes in sorted(self._read().items()):
            for outcome, count in sorted(outcomes.items()):
                family.add_metric([backend, outcome], count)
        yield family


class BackendGauges(Collector):
    """Reads the figures of every backend from the journal when Prometheus asks."""

    def __init__(self, read: Callable[[], Mapping[str, Mapping[str, float]]]) -> None:
        """`read` returns, by backend name, a value for each name of BACKEND_GAUGES."""
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the figures exist only once a journal is open."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield one gauge family after the other."""
        figures = self._read()
        for name, meaning in BACKEND_GAUGES.items():
            family = GaugeMetricFamily(name, meaning, labels=["backend"])
            for backend, values in sorted(figures.items()):
                family.add_metric([backend], values[name])
            yield family

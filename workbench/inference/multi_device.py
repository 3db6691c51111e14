"""Predictor of several devices: one worker thread each, one queue of batches."""

from __future__ import annotations

import copy
import queue
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from workbench.models.devices import memory_in_use
from workbench.models.tile_model import shared_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from workbench.inference.predictor import DevicePredictor
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.tiling.prefetch import Batch

_SLOTS: Final = 2
"""Batches per device that may be in work, or predicted and not yet consumed."""


class MultiDevicePredictor:
    """A model on several devices that share the batches of a run.

    One worker thread per device takes batches from a shared queue; results are
    returned in the order in which they are ready. All devices use the same precision,
    so a result does not depend on its device.

    Parameters
    ----------
    members : sequence of DevicePredictor
        One predictor per device, each with its own copy of the model.
    """

    def __init__(self, members: Sequence[DevicePredictor]) -> None:
        self._members = tuple(members)
        first = self._members[0]
        self.device = first.device
        self.devices = tuple(member.device for member in self._members)
        self.card = first.card
        self.precision = shared_precision(m.precision for m in self._members)
        for member in self._members:
            member.set_precision(self.precision)

    @property
    def compile_problem(self) -> str:
        """Why a network is not compiled despite `compile` of the recipe; or empty."""
        return next((m.compile_problem for m in self._members if m.compile_problem), "")

    @property
    def reading_threads(self) -> tuple[int, int]:
        """Number of reading threads while the models work, and while they are idle."""
        return max(member.reading_threads for member in self._members)

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """Allocator of pinned host memory; None: ordinary memory."""
        allocators = (member.allocate for member in self._members)
        return next((each for each in allocators if each is not None), None)

    @property
    def decodes(self) -> bool:
        """True if all devices decode JPEG tiles."""
        return all(member.decodes for member in self._members)

    @property
    def memory(self) -> dict[str, int]:
        """Bytes in use by name: "host", and each device other than the host."""
        return memory_in_use(self.devices)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds spent in each step so far, summed over all devices."""
        added: Counter[str] = Counter()
        for member in self._members:
            added.update(member.seconds)
        return dict(added)

    def use(self, normalizer: PixelNormalizer) -> None:
        """Set the normalizer on each device; each has its own copy."""
        for member in self._members:
            member.use(copy.deepcopy(normalizer))

    def batch_size(self) -> int:
        """Return the number of tiles in a batch that suits the smallest device."""
        return min(member.batch_size() for member in self._members)

    def predict(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Predict batches, in the order in which they are ready.

        After an error on one device, the others stop after their current batches;
        the results until then are yielded before the error is raised.

        Yields
        ------
        (Batch, float32 (N, classes, cells, cells))
        """
        shared = _SharedBatches(batches, slots=_SLOTS * len(self._members))
        threads = [
            threading.Thread(
                target=shared.work_through,
                args=(m.predict,),
                name=f"{m.device}",
                daemon=True,
            )
            for m in self._members
        ]
        for thread in threads:
            thread.start()
        try:
            yield from shared.results(len(threads))
        finally:
            shared.stop()
            for thread in threads:
                thread.join()


class _SharedBatches:
    """Batches of one iterator, shared by worker threads, and their results."""

    def __init__(self, batches: Iterable[Batch], *, slots: int) -> None:
        self._remaining = iter(batches)
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(slots)
        self._stopped = threading.Event()
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def stop(self) -> None:
        """Stop handing out batches."""
        self._stopped.set()
        self._slots.release()

    def work_through(
        self,
        predict: Callable[
            [Iterable[Batch]], Iterator[tuple[Batch, NDArray[np.float32]]]
        ],
    ) -> None:
        """Predict batches until there are no more; the loop of a worker thread."""
        error: BaseException | None = None
        try:
            for result in predict(self._take()):
                self._results.put(result)
        except BaseException as caught:  # noqa: BLE001 - raised again by `results`
            error = caught
            self.stop()
        self._results.put(_ThreadEnd(error))

    def results(self, threads: int) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Yield results until all threads have ended; then raise their first error."""
        error: BaseException | None = None
        while threads:
            result = self._results.get()
            if isinstance(result, _ThreadEnd):
                threads -= 1
                error = error or result.error
                continue
            self._slots.release()
            yield result
        if error is not None:
            raise error

    def _take(self) -> Iterator[Batch]:
        while True:
            self._slots.acquire()
            with self._lock:
                batch = None if self._stopped.is_set() else next(self._remaining, None)
            if batch is None:
                self._slots.release()  # wake the other threads: there are no more
                return
            yield batch


class _ThreadEnd:
    """Marks the end of a worker thread, with its error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

"""Several devices that share the tiles of a run."""

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

_WAITING: Final = 2
"""Batches for each device that may be begun, or answered and not yet taken."""


class MultiDevicePredictor:
    """Devices that answer batches of one queue, each as fast as it can.

    One worker thread for each device takes batches from a shared queue, and results are
    returned in the order in which they are ready. All devices calculate in one
    precision, so a result does not depend on its device.

    Parameters
    ----------
    members : sequence of DevicePredictor
        One for each device, each with a model of its own.
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
    def not_compiled(self) -> str:
        """Why a network is not compiled although that was asked for; else empty."""
        return next((m.not_compiled for m in self._members if m.not_compiled), "")

    @property
    def reading_threads(self) -> tuple[int, int]:
        """Threads that read beside the models, and while they have nothing to do."""
        return max(member.reading_threads for member in self._members)

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """What gives memory from which the devices copy by themselves; None: any."""
        kinds = (member.allocate for member in self._members)
        return next((each for each in kinds if each is not None), None)

    @property
    def decodes(self) -> bool:
        """Whether batches are better left encoded: all devices decode."""
        return all(member.decodes for member in self._members)

    @property
    def memory(self) -> dict[str, int]:
        """Bytes in use by name: "host", and each device that is not the host."""
        return memory_in_use(self.devices)

    @property
    def seconds(self) -> dict[str, float]:
        """How long the steps took so far, of all devices together."""
        added: Counter[str] = Counter()
        for member in self._members:
            added.update(member.seconds)
        return dict(added)

    def use(self, normalizer: PixelNormalizer) -> None:
        """Normalize tiles from now on, on each device."""
        for member in self._members:
            member.use(copy.deepcopy(normalizer))

    def batch_size(self) -> int:
        """Return how many tiles to give at once: what suits the smallest device."""
        return min(member.batch_size() for member in self._members)

    def answers(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Answer batches, in the order in which they are ready.

        An error on one device ends the others after the batches in their hands;
        what was answered until then is given before the error is raised.

        Yields
        ------
        (Batch, float32 (N, classes, cells, cells))
        """
        work = _Work(batches, slots=_WAITING * len(self._members))
        threads = [
            threading.Thread(
                target=work.serve, args=(m.answers,), name=f"{m.device}", daemon=True
            )
            for m in self._members
        ]
        for thread in threads:
            thread.start()
        try:
            yield from work.answered(len(threads))
        finally:
            work.stop()
            for thread in threads:
                thread.join()


class _Work:
    """Batches that several threads draw from one iterator, and what they answer."""

    def __init__(self, batches: Iterable[Batch], *, slots: int) -> None:
        self._remaining = iter(batches)
        self._drawing = threading.Lock()
        self._slots = threading.Semaphore(slots)
        self._stopped = threading.Event()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def stop(self) -> None:
        """Let nobody draw any more."""
        self._stopped.set()
        self._slots.release()

    def serve(
        self,
        answer: Callable[
            [Iterable[Batch]], Iterator[tuple[Batch, NDArray[np.float32]]]
        ],
    ) -> None:
        """Answer what is there to be drawn, in this thread."""
        error: BaseException | None = None
        try:
            for answered in answer(self._draw()):
                self._answers.put(answered)
        except BaseException as caught:  # noqa: BLE001 - raised by whoever takes answers
            error = caught
            self.stop()
        self._answers.put(_End(error))

    def answered(self, servers: int) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Give answers until so many threads have ended; then raise their error."""
        error: BaseException | None = None
        while servers:
            answered = self._answers.get()
            if isinstance(answered, _End):
                servers -= 1
                error = error or answered.error
                continue
            self._slots.release()
            yield answered
        if error is not None:
            raise error

    def _draw(self) -> Iterator[Batch]:
        while True:
            self._slots.acquire()
            with self._drawing:
                batch = None if self._stopped.is_set() else next(self._remaining, None)
            if batch is None:
                self._slots.release()  # let the others see that there is no more
                return
            yield batch


class _End:
    """Says that a thread has ended, and of what."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

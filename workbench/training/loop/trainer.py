"""The loop of a training: every step is a function of the seed and its number."""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import torch.utils.deterministic

from workbench.errors import TrainingError
from workbench.models.preprocessing import InputChannels
from workbench.models.tile_model import resolve_precision
from workbench.training.loop.augmentation import Changes, augment
from workbench.training.loop.folder import BEST, CHECKPOINT
from workbench.training.loop.state import seed_torch
from workbench.training.loop.tuning import merged, set_learning

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from torch import Tensor

    from workbench.training.loop.examples import Examples
    from workbench.training.loop.folder import TrainingFolder
    from workbench.training.loop.processes import Processes
    from workbench.training.loop.state import State
    from workbench.training.loop.task import Task

_AHEAD: Final = 3
"""Parts of a step that are read while one is computed."""

_DTYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """The tiles of one process of one part of a step."""

    step: int
    part: int
    last: bool
    """Whether it is the last part of its step."""

    numbers: NDArray[np.int64]
    """Numbers of the examples, int64 (N,)."""

    places: NDArray[np.int64]
    """Their places among all tiles of the step, int64 (N,)."""


class Trainer:
    """Trains the network of a state on examples; see `train`."""

    def __init__(
        self,
        state: State,
        examples: Examples,
        task: Task,
        folder: TrainingFolder,
        processes: Processes,
    ) -> None:
        self.state, self.examples, self.task = state, examples, task
        self.folder, self.processes = folder, processes
        self.recipe, self.device = state.recipe, state.device
        self.learnt = np.flatnonzero(~examples.held)
        self.held = np.flatnonzero(examples.held)
        self.batch = min(self.recipe.batch_size, len(self.learnt))
        self.steps_per_epoch = len(self.learnt) // self.batch
        self.total = self.recipe.epochs * self.steps_per_epoch
        self.channels = InputChannels(state.card).to(self.device)
        self.precision = resolve_precision(self.recipe.precision, self.device)

    def run(
        self, cancel: threading.Event, report: Callable[[dict[str, Any]], None]
    ) -> bool:
        """Train to the end, or until `cancel` is set; return whether it has ended.

        Raises
        ------
        TrainingError
            If the loss is not a finite number.
        SlideError, RunFolderError
            If a slide cannot be read any more, or the folder not written.
        """
        if self._waited_enough():
            return True  # killed after its last step
        with exact_sums(self.device, one_thread=self.task.sums_vary):
            return self._steps(cancel, report)

    def _steps(
        self, cancel: threading.Event, report: Callable[[dict[str, Any]], None]
    ) -> bool:
        """Do the steps that are left; return whether the training has ended."""
        learner = self.task.learner(self.state.network)
        shared = self.processes.share(learner, self.device)
        set_learning(shared)
        parts = self._parts(self.state.step)
        loss = 0.0
        for part, pixels, targets in self._read(parts):
            if part.part == 0 and self.processes.any(cancel.is_set()):
                self._checkpoint()
                return False
            loss += self._backward(shared, part, pixels, targets)
            if not part.last:
                continue
            self._finish_step(self.processes.sum(loss), report)
            loss = 0.0
            if self._waited_enough():
                return True
        return True

    def _parts(self, first: int) -> Iterator[Part]:
        """Yield the parts of all steps from `first`, a function of the seed alone."""
        rank, world = self.processes.rank, self.processes.world
        for step in range(first, self.total):
            epoch, at = divmod(step, self.steps_per_epoch)
            random = np.random.default_rng([self.recipe.seed, 0, epoch])
            order = random.permutation(self.learnt)
            whole = order[at * self.batch : (at + 1) * self.batch]
            places = np.array_split(np.arange(len(whole)), self.recipe.accumulate)
            places = [each for each in places if len(each) >= world]
            for part, mine in enumerate(places):
                own = mine[rank::world]
                yield Part(step, part, part == len(places) - 1, whole[own], own)

    def _read(
        self, parts: Iterator[Part]
    ) -> Iterator[tuple[Part, NDArray[np.uint8], Tensor]]:
        """Yield parts with their tiles and targets, which a thread reads ahead."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="training-tiles")
        waiting: deque[tuple[Part, Future[Any]]] = deque()

        def load(numbers: NDArray[np.int64]) -> Any:
            pixels = self.examples.read(numbers, self.recipe.threads)
            return pixels, self.task.targets(numbers)

        try:
            for part in parts:
                waiting.append((part, pool.submit(load, part.numbers)))
                if len(waiting) > _AHEAD:
                    first, future = waiting.popleft()
                    yield first, *future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, *future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _backward(
        self, shared: Any, part: Part, pixels: NDArray[np.uint8], targets: Tensor
    ) -> float:
        """Add the gradients of a part; return its share of the loss of the step."""
        tiles = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
        targets = targets.to(self.device)
        changes = Changes.draw(self.recipe, part.step, self.batch).take(part.places)
        varied = bool(self.recipe.stain_augmentation)
        stains = self.examples.stains(part.numbers) if varied else None
        tiles, targets = augment(tiles, targets, changes, stains)
        world = self.processes.world
        quiet = part.last or world == 1
        context: AbstractContextManager[Any]
        context = nullcontext() if quiet else shared.no_sync()
        devices = [self.device] if self.device.type == "cuda" else []
        with context, torch.random.fork_rng(devices=devices):
            seed_torch(self.recipe.seed, part.step, part.part, self.processes.rank)
            with self._autocast():
                losses = shared(self.channels(tiles), targets)
            loss = losses.sum() / self.batch
            # Averaged over the processes, this is the gradient of the whole step.
            scaled: Any = self.state.scaler.scale(loss * world)
            scaled.backward()
        return float(loss.detach())

    def _autocast(self) -> torch.autocast:
        dtype = _DTYPES.get(self.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def _finish_step(
        self, loss: float, report: Callable[[dict[str, Any]], None]
    ) -> None:
        """Step, note the loss, and judge the network at the end of an epoch."""
        state = self.state
        if not math.isfinite(loss):
            message = f"The loss of step {state.step + 1} is not a finite number."
            remedy = (
                "What was learnt up to the last checkpoint is kept. Lower"
                " learning_rate, or use precision float32, in another folder."
            )
            raise TrainingError(message, remedy)
        state.learn(self.total)
        state.loss += loss
        line: dict[str, Any] = {"step": state.step, "loss": loss}
        ended = state.step % self.steps_per_epoch == 0
        if ended:
            line |= self._judge()
        if self.processes.writes:
            self.folder.note(line)
            if ended:
                self.folder.tabulate()
        if ended or state.step % self.recipe.checkpoint_steps == 0:
            self._checkpoint()
        report(line)

    def _judge(self) -> dict[str, Any]:
        """Return the figures of the epoch that ends; keep its weights if best."""
        state, begun = self.state, time.monotonic()
        figures = self._figures()
        figure = None if figures is None else figures[self.task.figure]
        better = figure is None or figure > state.best
        state.waited = 0 if better else state.waited + 1
        if better:
            state.best = state.best if figure is None else float(figure)
            if self.processes.writes:
                self.folder.save(BEST, weights_of(state.judged))
        mean = state.loss / self.steps_per_epoch
        state.loss = 0.0
        return {
            "epoch": state.step // self.steps_per_epoch,
            "mean_loss": mean,
            "held_out": figures,
            "best": better,
            "judged_s": round(time.monotonic() - begun, 3),
        }

    @torch.no_grad()
    def _figures(self) -> dict[str, Any] | None:
        """Return the figures of all held-out tiles; None: there are none."""
        if not len(self.held):
            return None
        network = self.state.judged
        network.eval()
        mine = self.held[self.processes.rank :: self.processes.world]
        size = max(1, self.batch // self.recipe.accumulate)
        sums: Any = self.task.begin()
        parts = (
            Part(0, 0, last=True, numbers=each, places=each)
            for each in np.array_split(mine, max(1, math.ceil(len(mine) / size)))
            if len(each)
        )
        for _, pixels, targets in self._read(parts):
            tiles = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
            with self._autocast():
                logits = network(self.channels(tiles))
            sums = self.task.add(sums, logits, targets)
        set_learning(self.state.network)
        every = self.processes.gather(sums)
        total = every[0]
        for each in every[1:]:
            total = total + each
        return self.task.figures(total)

    def _checkpoint(self) -> None:
        if self.processes.writes:
            self.folder.save(CHECKPOINT, self.state.content())

    def _waited_enough(self) -> bool:
        patience = self.recipe.patience
        ended = self.state.step % self.steps_per_epoch == 0
        return bool(patience and ended and self.state.waited >= patience)


@contextmanager
def exact_sums(device: torch.device, *, one_thread: bool) -> Iterator[None]:
    """Let sums on a CPU have an order that does not depend on its threads.

    Gradients of indexed tensors are otherwise added in any; those of a detector differ
    even so in their last bits between two trainings, except in one thread.
    """
    if device.type != "cpu":
        yield
        return
    # Filling memory that is overwritten anyway takes a sixth of a step.
    memory: Any = torch.utils.deterministic
    known = torch.get_deterministic_debug_mode(), memory.fill_uninitialized_memory
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    memory.fill_uninitialized_memory = False
    if one_thread:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(known[0])
        memory.fill_uninitialized_memory = known[1]


def weights_of(network: torch.nn.Module) -> bytes:
    """Return the weights of a network as the content of a safetensors file."""
    from safetensors.torch import save  # noqa: PLC0415 - for this only

    whole = merged(network)
    state = getattr(whole, "weighted", whole).state_dict()
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
    content: bytes = save(tensors)
    return content

"""DALI's half of `dali.py`, for an interpreter that has DALI.

Arguments: FOLDER DEVICE BATCH BATCHES THREADS.

Reads the JPEG files of the folder, mirrors and normalizes them to float32. For each
line of the input it times a round and prints tiles per second of wall and processor.
"""

from __future__ import annotations

import sys
import time

from nvidia.dali import fn, pipeline_def, types

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FOLDER, DEVICE = sys.argv[1:3]
BATCH, BATCHES, THREADS = map(int, sys.argv[3:])
ON_CPU = DEVICE == "cpu"


@pipeline_def(
    batch_size=BATCH, num_threads=THREADS, device_id=None if ON_CPU else 0, seed=1
)
def tiles():
    """Return the pipeline."""
    files, _ = fn.readers.file(file_root=FOLDER, random_shuffle=True)
    decoder = "cpu" if ON_CPU else "mixed"
    pixels = fn.decoders.image(files, device=decoder, output_type=types.RGB)
    coin = fn.random.coin_flip
    pixels = fn.flip(pixels, horizontal=coin(), vertical=coin())
    return fn.crop_mirror_normalize(
        pixels,
        dtype=types.FLOAT,
        output_layout="CHW",
        mean=[255 * each for each in MEAN],
        std=[255 * each for each in SD],
    )


def main() -> None:
    """Time rounds as they are asked for."""
    pipeline = tiles()
    pipeline.build()
    pipeline.run()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter(), time.process_time()
        for _ in range(BATCHES):
            pipeline.run()
        wall, busy = time.perf_counter() - start[0], time.process_time() - start[1]
        print(BATCH * BATCHES / wall, BATCH * BATCHES / busy, flush=True)


main()

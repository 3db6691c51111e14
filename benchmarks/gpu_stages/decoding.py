"""JPEG tiles decoded on the device against libjpeg-turbo on the host; rates of both."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np
import simplejpeg
import torch
from PIL import Image

from gpu_stages.bench import NotMeasuredError
from gpu_stages.normalizers import pictures
from workbench.inference.gpu_jpegs import nvimagecodec_decoder, torchvision_decoder

MEAN, WORST = 2.0, 60
"""Largest mean and worst difference of decoders, in grey levels; they upsample chroma
in other ways."""


def decoders(bench) -> dict:
    """Return the decoders of the device by name; on a CPU a stand-in."""
    if not bench.cuda:
        from torchvision.io import ImageReadMode, decode_jpeg  # noqa: PLC0415 - slow

        return {"stand-in": lambda files: decode_jpeg(files, ImageReadMode.RGB)}
    return {
        "torchvision": torchvision_decoder(bench.device),
        "nvImageCodec": nvimagecodec_decoder(bench.device),
    }


def files(pixels: np.ndarray) -> dict[str, bytes]:
    """Return a picture as JPEG files of all kinds that slides hold."""
    encode = partial(simplejpeg.encode_jpeg, np.ascontiguousarray(pixels), quality=85)
    rgb = io.BytesIO()
    Image.fromarray(pixels).save(rgb, "JPEG", quality=90, keep_rgb=True)
    every = [cv2.IMWRITE_JPEG_RST_INTERVAL, 4, cv2.IMWRITE_JPEG_QUALITY, 85]
    restart = cv2.imencode(".jpg", pixels[..., ::-1], every)[1].tobytes()
    grey = io.BytesIO()
    Image.fromarray(pixels[..., 1]).save(grey, "JPEG", quality=85)
    return {
        "4:2:0": encode(colorsubsampling="420"),
        "4:2:2": encode(colorsubsampling="422"),
        "4:4:4": encode(colorsubsampling="444"),
        "RGB with APP14": rgb.getvalue(),
        "grey": grey.getvalue(),
        "restart markers": restart,
    }


def tensor(file: bytes) -> torch.Tensor:
    """Return the bytes of a file as the decoders take them."""
    return torch.from_numpy(np.frombuffer(file, np.uint8).copy())


def compared(decode, file: bytes) -> str:
    """Compare a decoder with libjpeg-turbo."""
    if decode is None:
        message = "the decoder is not installed"
        raise NotMeasuredError(message)
    found = decode([tensor(file)])[0].permute(1, 2, 0).cpu().numpy().astype(int)
    apart = np.abs(found - simplejpeg.decode_jpeg(file, "RGB"))
    said = f"mean {apart.mean():.2f}, worst {apart.max()} grey levels"
    if apart.mean() > MEAN or apart.max() > WORST:
        raise AssertionError(said)
    return said


def truncated(decode, file: bytes) -> str:
    """Check that half a file is refused; the host then reads its batch."""
    if decode is None:
        message = "the decoder is not installed"
        raise NotMeasuredError(message)
    try:
        decode([tensor(file[: len(file) // 2])])
    except RuntimeError as error:
        return f"refused: {str(error)[:80]}"
    message = "half a file was decoded without an error"
    raise AssertionError(message)


def jpeg2000(decode, pixels: np.ndarray) -> str:
    """Compare nvImageCodec with OpenJPEG on a JPEG 2000 file without loss."""
    if decode is None:
        message = "nvImageCodec is not installed"
        raise NotMeasuredError(message)
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    file = cv2.imencode(".jp2", pixels[..., ::-1], options)[1].tobytes()
    found = decode([tensor(file)])[0].permute(1, 2, 0).cpu().numpy().astype(int)
    apart = np.abs(found - pixels).max()
    said = f"worst {apart} grey levels"
    if apart > 1:
        raise AssertionError(said)
    return said


def measure(bench) -> None:
    """Check the decoders and measure their rates."""
    pixels = pictures()[0][:256, :256].copy()
    made = files(pixels)
    for name, decode in decoders(bench).items():
        for kind, file in made.items():
            bench.check(f"{name}: {kind}", partial(compared, decode, file))
        bench.check(f"{name}: truncated", partial(truncated, decode, made["4:2:0"]))
    nvidia = nvimagecodec_decoder(bench.device) if bench.cuda else None
    bench.check("nvImageCodec: JPEG 2000", partial(jpeg2000, nvidia, pixels))
    batch = [made["4:2:0"]] * (8 if bench.toy else 512)
    megapixels = len(batch) * pixels[..., 0].size / 1e6

    def host() -> float:
        with ThreadPoolExecutor() as pool:
            decode = partial(simplejpeg.decode_jpeg, colorspace="RGB")
            return megapixels / bench.seconds(lambda: list(pool.map(decode, batch)))

    limit = bench.figure("host, all threads", host, "Mpx/s")
    tensors = [tensor(file) for file in batch]
    for name, decode in decoders(bench).items():

        def rate(decode=decode) -> float:
            if decode is None:
                message = "the decoder is not installed"
                raise NotMeasuredError(message)
            return megapixels / bench.seconds(lambda: decode(tensors))

        bench.figure(f"{name}, batches of {len(batch)}", rate, "Mpx/s", limit=limit)

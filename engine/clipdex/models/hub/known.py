"""The models that can be pulled by name: their repositories, their files, and what they are good at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clipdex.errors import ModelNotFound

HUB = "https://huggingface.co"
_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A published dual encoder.

    Attributes
    ----------
    name
        The name of the model here.
    title
        The name that its makers gave it.
    repository
        Its repository on the hub, ``owner/name``.
    layout
        The type of its files: ``towers`` (ONNX, which needs no other packages), ``transformers`` or ``open_clip``
        (safetensors, which need PyTorch to be converted).
    files, optional
        The paths of the required files in the repository, and of those that are taken where they exist.
    licence
        The licence that the repository states, or that of the original weights.
    good_at
        A hint for people who choose a model.
    bits
        Bits of a hash key, equal to the number of embedding dimensions.
    image_size
        Side of the input images in pixels.
    download_bytes
        The approximate size of the download; 0 where it is not known.
    revision
        The commit to take; empty for the newest, which is resolved when the model is pulled.
    seen
        Where the names of the files were read; empty where they were not read anywhere.
    verified
        Whether the names were read there. Otherwise they are those that such repositories usually have.
    sha256
        The SHA-256 in hexadecimal of files whose contents are known here, by their paths.
    """

    name: str
    title: str
    repository: str
    layout: str
    files: tuple[str, ...]
    optional: tuple[str, ...]
    licence: str
    good_at: str
    bits: int
    image_size: int
    download_bytes: int = 0
    revision: str = ""
    seen: str = ""
    verified: bool = False
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)

    def at(self, commit: str) -> str:
        """Name the repository at a commit."""
        return f"{self.repository} at {commit[:_SHOWN_DIGITS]}"

    def page(self, commit: str = "") -> str:
        """Return the address of the web page with the files."""
        return f"{HUB}/{self.repository}/tree/{commit or self.revision or 'main'}"

    def by_hand(self, commit: str = "") -> str:
        """Say how to get the model by hand, without a download by clipdex."""
        also = f" (and {', '.join(self.optional)}, where it is there)" if self.optional else ""
        return (
            f"To add the model by hand, get {', '.join(self.files)}{also} from {self.page(commit)} into one folder, "
            f"keeping the sub-folders, and then: clipdex model add FOLDER --name {self.name}"
        )


_IMAGE, _TEXT = "onnx/vision_model.onnx", "onnx/text_model.onnx"
_TOWERS = ("config.json", "preprocessor_config.json", "tokenizer.json", _TEXT, _IMAGE)
_TOKENS = ("tokenizer_config.json", "special_tokens_map.json")
_OPENAI = "none stated on the hub; openai/CLIP, where the weights come from, is under MIT"
_APPLE = "Apple's for research models (apple-amlr), in the file LICENSE there: for research only"
_SCRIPTS = "public download scripts that name this commit, these files and these checksums"

KNOWN: tuple[KnownModel, ...] = (
    KnownModel(
        name="clip-vit-b-32",
        title="CLIP ViT-B/32 of OpenAI, as ONNX",
        repository="Xenova/clip-vit-base-patch32",
        revision="d15189d7028b43f1d3e65039190477f6af591c2a",
        layout="towers",
        files=_TOWERS,
        optional=_TOKENS,
        licence=_OPENAI,
        good_at="photographs and English phrases; fast, and the one that others are compared with",
        bits=512,
        image_size=224,
        download_bytes=607_968_381,
        seen=_SCRIPTS,
        verified=True,
        sha256={
            _IMAGE: "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40",
            _TEXT: "3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc",
            "tokenizer.json": "f7f3b7af117d467b58374797691a6438d3e6b9e9cef800dfd5dced7f697a90cd",
        },
    ),
    KnownModel(
        name="clip-vit-b-16",
        title="CLIP ViT-B/16 of OpenAI, as ONNX",
        repository="Xenova/clip-vit-base-patch16",
        layout="towers",
        files=_TOWERS,
        optional=_TOKENS,
        licence=_OPENAI,
        good_at="photographs and English phrases; sees finer detail than ViT-B/32, and is slower",
        bits=512,
        image_size=224,
        download_bytes=602_000_000,
        seen="public programs that download these files of the newest commit",
        verified=True,
    ),
    KnownModel(
        name="clip-vit-l-14",
        title="CLIP ViT-L/14 of OpenAI, as ONNX",
        repository="Xenova/clip-vit-large-patch14",
        revision="c307790166907339eed5a9a53a249af534102536",
        layout="towers",
        files=_TOWERS,
        optional=_TOKENS,
        licence=_OPENAI,
        good_at="photographs and English phrases; more exact than ViT-B, and slow without a GPU",
        bits=768,
        image_size=224,
        download_bytes=1_714_000_000,
        seen=_SCRIPTS,
        verified=True,
        sha256={_IMAGE: "ff49f8aa57c7abfd26e382eb083e4dbf988505223a9bd3767dbfd4e729206709"},
    ),
    KnownModel(
        name="clip-vit-l-14-336",
        title="CLIP ViT-L/14 of OpenAI for larger images, as ONNX",
        repository="Xenova/clip-vit-large-patch14-336",
        layout="towers",
        files=_TOWERS,
        optional=_TOKENS,
        licence=_OPENAI,
        good_at="photographs with small things in them, and English phrases; the slowest of OpenAI's",
        bits=768,
        image_size=336,
        download_bytes=1_715_000_000,
    ),
    KnownModel(
        name="clip-vit-b-32-laion2b",
        title="OpenCLIP ViT-B/32, trained on LAION-2B",
        repository="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        revision="1a25a446712ba5ee05982a381eed697ef9b435cf",
        layout="transformers",
        files=("config.json", "open_clip_config.json", "tokenizer.json", "model.safetensors"),
        optional=("preprocessor_config.json", *_TOKENS),
        licence="MIT",
        good_at="photographs and English phrases; of the size of OpenAI's ViT-B/32, and more exact",
        bits=512,
        image_size=224,
        download_bytes=608_000_000,
        seen="public programs that download these files, of this commit or of the newest",
        verified=True,
    ),
    KnownModel(
        name="clip-vit-b-16-laion2b",
        title="OpenCLIP ViT-B/16, trained on LAION-2B",
        repository="laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        revision="7288da5a0d6f0b51c4a2b27c624837a9236d0112",
        layout="open_clip",
        files=("open_clip_config.json", "tokenizer.json", "open_clip_model.safetensors"),
        optional=_TOKENS,
        licence="MIT",
        good_at="photographs and English phrases; of the size of OpenAI's ViT-B/16, and more exact",
        bits=512,
        image_size=224,
        download_bytes=602_000_000,
    ),
    KnownModel(
        name="siglip-b-16-224",
        title="SigLIP B/16 of Google, as ONNX",
        repository="Xenova/siglip-base-patch16-224",
        revision="4649052661e53c7000355844105f8a1792088239",
        layout="towers",
        files=_TOWERS,
        optional=(*_TOKENS, "spiece.model"),
        licence="Apache-2.0, that of google/siglip-base-patch16-224, where the weights come from",
        good_at="photographs, graphics and English phrases; more exact than CLIP of its size",
        bits=768,
        image_size=224,
        download_bytes=816_350_000,
        seen=_SCRIPTS,
        verified=True,
        sha256={
            _IMAGE: "f89d41bac7f4d4b87e010a467d93f98689d708916ed22f5a07f96fdfa26f475f",
            _TEXT: "3aa7fdbd20eaa8740cce17bf82913de641fcb632a768fed59f661cdcd0c32553",
            "tokenizer.json": "4a17c975210be5ab4c36b47d8dae4eefb866dbfb1e676e394aad85dc30a3ae08",
            "spiece.model": "1e5036bed065526c3c212dfbe288752391797c4bb1a284aa18c9a0b23fcaf8ec",
        },
    ),
    KnownModel(
        name="mobileclip-s0",
        title="MobileCLIP-S0 of Apple, as ONNX",
        repository="Xenova/mobileclip_s0",
        revision="757d59c9c6870a76a4b0306f05f5061bca15c39f",
        layout="towers",
        files=_TOWERS,
        optional=_TOKENS,
        licence=_APPLE,
        good_at="photographs and English phrases on slow machines; the smallest download",
        bits=512,
        image_size=256,
        download_bytes=218_000_000,
        seen=_SCRIPTS,
        verified=True,
        sha256={
            _IMAGE: "17d3c037b1d488c10c50e09f6009ea5a198caef4e0e8f4ea5617b7cb2d067ac0",
            _TEXT: "f6e9bd5742bfc515889e901634d8a2ff2a57fab8564e4ad3760e800b1a51b77c",
            "preprocessor_config.json": "b031f09fbd69e22a605b6cc7433993249ee893b7fc1b79321f669cd015493dd4",
            "tokenizer.json": "72ed5c96db5729294468543e4bc75fce14ca63f58e37300290189ba1c1e52b85",
            "tokenizer_config.json": "a7d9d24f248071b792e4a3b56ab0539c2f40eec8da56d6fd91fb3a50058acebd",
        },
    ),
    KnownModel(
        name="mobileclip-s2",
        title="MobileCLIP-S2 of Apple, as ONNX",
        repository="Xenova/mobileclip_s2",
        layout="towers",
        files=_TOWERS,
        optional=_TOKENS,
        licence=_APPLE,
        good_at="photographs and English phrases; more exact than CLIP ViT-B/16, and smaller",
        bits=512,
        image_size=256,
        download_bytes=399_000_000,
        seen="public programs that download these files of the newest commit",
        verified=True,
    ),
)


def find_known(name: str) -> KnownModel:
    """Return the model of that name.

    Raises
    ------
    ModelNotFound
        When the table has no such model.
    """
    for known in KNOWN:
        if known.name == name:
            return known
    raise ModelNotFound(
        f"no known model is called {name!r}. These can be pulled: {', '.join(known.name for known in KNOWN)}."
    )

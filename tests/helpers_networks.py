"""Small networks of the kinds that are published. Importing this imports PyTorch, which takes seconds."""

from __future__ import annotations

from typing import Any

import torch


class Tower(torch.nn.Module):
    """One function of a model as a module of its own, to be exported."""

    def __init__(self, model: torch.nn.Module, function: Any) -> None:
        super().__init__()
        self.model = model
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(self.model, *inputs)


class ConvolutionalImage(torch.nn.Module):
    """An image tower without attention, for any size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        steps: list[torch.nn.Module] = []
        for before, after in ((3, 16), (16, 32), (32, 64)):
            steps += [torch.nn.Conv2d(before, after, 3, stride=4, padding=1), torch.nn.GELU()]
        self.steps = torch.nn.Sequential(*steps)
        self.projection = torch.nn.Linear(64, size)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.projection(self.steps(pixels - 0.5).mean(dim=(2, 3)))


class TextAtAllPositions(torch.nn.Module):
    """A text tower of MobileCLIP's kind: every position sees every other, and the end token is the largest one."""

    def __init__(self, vocabulary: int, size: int, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.tokens = torch.nn.Embedding(vocabulary, 64)
        self.positions = torch.nn.Parameter(torch.empty(77, 64).normal_(std=0.5))
        self.queries = torch.nn.Linear(64, 64)
        self.keys = torch.nn.Linear(64, 64)
        self.values = torch.nn.Linear(64, 64)
        self.projection = torch.nn.Linear(64, size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        states = self.tokens(ids) + self.positions[: ids.shape[1]]
        even = torch.nn.functional.layer_norm(states, (64,))
        scores = self.queries(even) @ self.keys(even).transpose(1, 2) / 8
        if self.causal:
            later = torch.ones(77, 77, dtype=torch.bool).triu(1)[: ids.shape[1], : ids.shape[1]]
            scores = scores.masked_fill(later, -1e4)
        states = states + torch.softmax(scores, dim=-1) @ self.values(states)
        ends = torch.nn.functional.one_hot(ids.argmax(dim=-1), ids.shape[1]).to(states.dtype)
        return self.projection((states * ends[..., None]).sum(dim=1))

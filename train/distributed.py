"""Several processes that train one pair of networks, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


class DistributedError(RuntimeError):
    """The processes do not start from the same state."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and talks."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process, connected with the others that torchrun started, if any."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Ranks(0, 1, chosen)
        return
    # Gloo beside NCCL: what is agreed on between steps lies on the CPU and must not wait for a GPU.
    dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, chosen)
    finally:
        dist.destroy_process_group()


def choose_device(name: str, local_rank: int) -> torch.device:
    """`auto` is a GPU if there is one; each process of a machine takes its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{local_rank}"
    device = torch.device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def broadcast(modules: Iterable[nn.Module], ranks: Ranks) -> None:
    """Gives all processes the first one's parameters and buffers."""
    if ranks.world == 1:
        return
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            whole = tensor.detach().contiguous()
            dist.broadcast(whole, 0)
            tensor.data.copy_(whole)


def average(tensors: Sequence[Tensor], ranks: Ranks) -> None:
    """Puts the mean over the processes into each tensor; one exchange, whatever their number."""
    if ranks.world == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= ranks.world
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view(tensor.shape))


def any_of(yes: bool, ranks: Ranks) -> bool:
    """Whether any process says yes."""
    if ranks.world == 1:
        return yes
    said = torch.tensor(int(yes))
    dist.all_reduce(said, dist.ReduceOp.MAX)
    return bool(said)


def check_same(images: int, ranks: Ranks) -> None:
    """DistributedError unless all processes found the same checkpoint."""
    if ranks.world == 1:
        return
    seen = torch.tensor([images, -images])
    dist.all_reduce(seen, dist.ReduceOp.MAX)
    most, least = int(seen[0]), -int(seen[1])
    if most != least:
        raise DistributedError(
            f"the processes found checkpoints of {least} and {most} images; all must share the run's folder"
        )

"""Several processes that train one pair of networks, started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class DistributedError(RuntimeError):
    """The processes cannot work together, or start from different states."""


@dataclass(frozen=True)
class Ranks:
    """The rank of this process among those that train together."""

    rank: int
    """The number of this process, from 0."""
    world: int
    """The number of processes."""
    device: torch.device
    """The device of this process."""

    @property
    def first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Connects this process with the others that torchrun started, if any."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Ranks(0, 1, chosen)
        return
    if not dist.is_available() or not dist.is_gloo_available():
        raise DistributedError(
            f"this PyTorch cannot train with {world} processes: it was built without Gloo; "
            "start one process, without torchrun"
        )
    # Gloo is added to NCCL since decisions between steps are on the CPU and must not wait for a GPU.
    dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, chosen)
    finally:
        dist.destroy_process_group()


def choose_device(name: str, local_rank: int) -> torch.device:
    """Returns the device; `auto` is a GPU if there is one, and each process of a machine takes its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{local_rank}"
    device = torch.device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def broadcast(modules: Iterable[nn.Module], ranks: Ranks) -> None:
    """Copies the first process's parameters and buffers to all others."""
    if ranks.world == 1:
        return
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            whole = tensor.detach().contiguous()
            dist.broadcast(whole, 0)
            tensor.data.copy_(whole)


def shared(module: nn.Module, ranks: Ranks) -> nn.Module:
    """Returns the module for joint training: with the first process's weights, and with gradients averaged
    over the processes after `backward`. With one process it is the module itself.

    Call it only in training: after a call without a `backward`, the processes wait for each other.
    """
    if ranks.world == 1:
        return module
    devices = None if ranks.device.type == "cpu" else [ranks.device]
    return DistributedDataParallel(module, device_ids=devices)


def apart(module: nn.Module, alone: bool) -> AbstractContextManager[None]:
    """Wraps a loss and its `backward`. alone: whether its gradients are exchanged with a later one's."""
    if alone and isinstance(module, DistributedDataParallel):
        return module.no_sync()
    return nullcontext()


def average(tensors: Sequence[Tensor], ranks: Ranks) -> None:
    """Replaces each tensor by its mean over the processes, in one exchange for all tensors."""
    if ranks.world == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= ranks.world
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view(tensor.shape))


def any_of(yes: bool, ranks: Ranks) -> bool:
    """Returns whether any process passes True."""
    if ranks.world == 1:
        return yes
    said = torch.tensor(int(yes))
    dist.all_reduce(said, dist.ReduceOp.MAX)
    return bool(said)


def check_same(images: int, ranks: Ranks) -> None:
    """Raises DistributedError unless all processes have loaded the same checkpoint."""
    if ranks.world == 1:
        return
    seen = torch.tensor([images, -images])
    dist.all_reduce(seen, dist.ReduceOp.MAX)
    most, least = int(seen[0]), -int(seen[1])
    if most != least:
        raise DistributedError(
            f"the processes loaded checkpoints of {least} and {most} images; let all use one run folder"
        )

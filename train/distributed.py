"""Several processes that train one pair of networks, as torchrun starts them."""

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
    """The processes cannot work together, or do not start from the same state."""


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
    if not dist.is_available() or not dist.is_gloo_available():
        raise DistributedError(
            f"this PyTorch cannot train with {world} processes: it was built without Gloo; "
            "start one process, without torchrun"
        )
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


def shared(module: nn.Module, ranks: Ranks) -> nn.Module:
    """The module as all processes train it: with the first one's weights, and with gradients that are their
    means once `backward` is done. Where there is one process, the module itself.

    To be called while it is trained, and only then: a call without a `backward` would be waited for.
    """
    if ranks.world == 1:
        return module
    devices = None if ranks.device.type == "cpu" else [ranks.device]
    return DistributedDataParallel(module, device_ids=devices)


def apart(module: nn.Module, alone: bool) -> AbstractContextManager[None]:
    """Around a loss and its `backward`: if `alone`, the gradients wait for those of a later one."""
    if alone and isinstance(module, DistributedDataParallel):
        return module.no_sync()
    return nullcontext()


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

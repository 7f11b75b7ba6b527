"""What a script does with its model beside training it: each returns values that must be the same without watching."""

from __future__ import annotations

import copy
import io
import os
import pickle
import threading
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, stack_module_state, vmap
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

Transform = Callable[[nn.Module, Tensor], Any]


def training(model: nn.Module, x: Tensor) -> Any:
    return model(x).square().mean()


def by_vmap(model: nn.Module, x: Tensor) -> Any:
    return vmap(model)(x[:, None])


def by_grad(model: nn.Module, x: Tensor) -> Any:
    weights = {name: p.detach() for name, p in model.named_parameters()}
    return grad(lambda weights: functional_call(model, weights, (x,)).square().mean())(weights)


def by_grad_of_each(model: nn.Module, x: Tensor) -> Any:
    weights = {name: p.detach() for name, p in model.named_parameters()}
    loss = lambda weights, x: functional_call(model, weights, (x,)).square().mean()  # noqa: E731
    return vmap(grad(loss), (None, 0))(weights, x[:, None])


def by_jvp(model: nn.Module, x: Tensor) -> Any:
    return jvp(model, (x,), (x,))


def by_jacrev(model: nn.Module, x: Tensor) -> Any:
    return jacrev(model)(x[:1])


def by_functional_call(model: nn.Module, x: Tensor) -> Any:
    weights = {name: p * 2 for name, p in model.named_parameters()}
    return functional_call(model, weights, (x,)).square().mean()


def stacked(model: nn.Module, x: Tensor) -> Any:
    models = [model, copy.deepcopy(model)]
    weights, buffers = stack_module_state(models)
    base = copy.deepcopy(model).to("meta")
    return vmap(lambda w, b, x: functional_call(base, (w, b), (x,)), (0, 0, None))(weights, buffers, x)


def traced_by_fx(model: nn.Module, x: Tensor) -> Any:
    graph = torch.fx.symbolic_trace(model)
    return [node.op for node in graph.graph.nodes], graph(x).square().mean()


def traced_by_make_fx(model: nn.Module, x: Tensor) -> Any:
    from torch.fx.experimental.proxy_tensor import make_fx

    graph = make_fx(model)(x)
    return [str(node.target) for node in graph.graph.nodes], graph(x)


def traced_by_jit(model: nn.Module, x: Tensor) -> Any:
    graph = torch.jit.trace(model, (x,), check_trace=False)
    return str(graph.inlined_graph).count("\n"), graph(x)


def scripted(model: nn.Module, x: Tensor) -> Any:
    return torch.jit.script(model[0])(x).square().mean(), model(x)


def exported(model: nn.Module, x: Tensor) -> Any:
    program = torch.export.export(model, (x,), strict=False)
    return [str(node.target) for node in program.graph.nodes], program.module()(x)


def exported_strictly(model: nn.Module, x: Tensor) -> Any:
    torch._dynamo.reset()
    program = torch.export.export(model, (x,), strict=True)
    return [str(node.target) for node in program.graph.nodes], program.module()(x)


def compiled(model: nn.Module, x: Tensor) -> Any:
    torch._dynamo.reset()
    return torch.compile(model, backend="eager")(x).square().mean()


def compiled_ahead(model: nn.Module, x: Tensor) -> Any:
    torch._dynamo.reset()
    return torch.compile(model, backend="aot_eager")(x).square().mean()


def checkpointed(model: nn.Module, x: Tensor) -> Any:
    return checkpoint(model, x, use_reentrant=False).square().mean()


def checkpointed_in_backward(model: nn.Module, x: Tensor) -> Any:
    return checkpoint(model, x.requires_grad_(), use_reentrant=True).square().mean()


def checkpointed_by_choice(model: nn.Module, x: Tensor) -> Any:
    from torch.utils.checkpoint import create_selective_checkpoint_contexts

    contexts = lambda: create_selective_checkpoint_contexts([torch.ops.aten.addmm.default])  # noqa: E731
    return checkpoint(model, x, use_reentrant=False, context_fn=contexts).square().mean()


def data_parallel(model: nn.Module, x: Tensor) -> Any:
    return nn.DataParallel(model)(x).square().mean()


def copied_in_mid_step(model: nn.Module, x: Tensor) -> Any:
    loss = model(x).square().mean()
    twin = copy.deepcopy(model)
    return loss, twin(x).square().mean(), list(twin.state_dict())


def pickled_in_mid_step(model: nn.Module, x: Tensor) -> Any:
    loss, file = model(x).square().mean(), io.BytesIO()
    torch.save(model.state_dict(), file)
    return loss, len(file.getvalue()), sorted(vars(model))


def saved_whole_in_mid_step(model: nn.Module, x: Tensor) -> Any:
    loss, layer = model(x).square().mean(), nn.Linear(3, 2)
    return loss, layer(x), len(pickle.dumps(layer))


def without_grad(model: nn.Module, x: Tensor) -> Any:
    with torch.no_grad():
        return model(x)


def in_inference(model: nn.Module, x: Tensor) -> Any:
    with torch.inference_mode():
        return model(x).clone()


def in_autocast(model: nn.Module, x: Tensor) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return model(x).float().square().mean()


def twice_backward(model: nn.Module, x: Tensor) -> Any:
    (slope,) = torch.autograd.grad(model(x.requires_grad_()).sum(), x, create_graph=True)
    return slope.square().sum()


def backward_with_graph(model: nn.Module, x: Tensor) -> Any:
    model(x).square().mean().backward(retain_graph=True, create_graph=False)
    return [p.grad for p in model.parameters()]


def grad_instead_of_backward(model: nn.Module, x: Tensor) -> Any:
    return torch.autograd.grad(model(x).square().mean(), list(model.parameters()), allow_unused=True)


def batched_grad(model: nn.Module, x: Tensor) -> Any:
    y = model(x)
    vectors = torch.eye(y.numel()).reshape(-1, *y.shape)
    return torch.autograd.grad(y, list(model.parameters()), vectors, is_grads_batched=True, allow_unused=True)


def jacobian(model: nn.Module, x: Tensor) -> Any:
    return torch.autograd.functional.jacobian(model, x[:1], vectorize=True)


def forward_mode(model: nn.Module, x: Tensor) -> Any:
    import torch.autograd.forward_ad as forward_ad

    with forward_ad.dual_level():
        return forward_ad.unpack_dual(model(forward_ad.make_dual(x, x)))


def hooked_backward(model: nn.Module, x: Tensor) -> Any:
    seen: list[Any] = []
    handles = [
        module.register_full_backward_hook(
            lambda _module, _into, out: seen.append([None if g is None else g.clone() for g in out])
        )
        for module in (model[0], model[-1])
    ]
    model(x).square().mean().backward()
    for handle in handles:
        handle.remove()
    return seen


def hooked_tensors(model: nn.Module, x: Tensor) -> Any:
    seen: list[Tensor] = []
    hidden = model[0](x)
    hidden.register_hook(seen.append)
    middle = hidden.tanh() * 1
    middle.retain_grad()
    middle.register_hook(lambda gradient: gradient * 2)
    model[-1](middle[:, :3]).square().mean().backward()
    return seen, middle.grad


def hooked_modules(model: nn.Module, x: Tensor) -> Any:
    seen: list[str] = []
    handles = [
        model[0].register_forward_pre_hook(lambda *_: seen.append("pre")),
        model[0].register_forward_hook(lambda _module, _args, _kwargs, y: y * 2, with_kwargs=True),
        model[-1].register_forward_hook(lambda *_: seen.append("after"), always_call=True),
    ]
    y = model(x)
    for handle in handles:
        handle.remove()
    return y.square().mean(), seen


def saved_elsewhere(model: nn.Module, x: Tensor) -> Any:
    packed: list[int] = []

    def pack(saved: Tensor) -> Tensor:
        packed.append(0)
        return saved

    def unpack(saved: Tensor) -> Tensor:
        packed.append(1)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        loss = model(x).square().mean()
    loss.backward()
    return packed


def saved_on_cpu(model: nn.Module, x: Tensor) -> Any:
    with torch.autograd.graph.save_on_cpu():
        return model(x).square().mean()


def with_anomalies_detected(model: nn.Module, x: Tensor) -> Any:
    with torch.autograd.detect_anomaly(check_nan=True):
        model(x).square().mean().backward()
    return [p.grad for p in model.parameters()]


def in_threads(model: nn.Module, x: Tensor) -> Any:
    made: dict[int, Any] = {}
    model.eval()  # in threads, dropout draws in no fixed order

    def work(number: int) -> None:
        try:
            loss = model(x + number).square().mean()
            made[number] = [loss.detach(), torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)]
        except Exception as error:
            made[number] = [str(error)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model.train()
    return sorted(made.items())


def backward_in_a_thread(model: nn.Module, x: Tensor) -> Any:
    loss = model(x).square().mean()
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()
    return [p.grad for p in model.parameters()]


def forked(model: nn.Module, x: Tensor) -> Any:
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            model(x).square().mean().backward()
            total = sum(float(p.grad.double().sum()) for p in model.parameters() if p.grad is not None)
            os.write(writes, f"{total:.17g}".encode())
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads, "rb") as told:
        said = told.read()
    os.waitpid(child, 0)
    return said.decode()


class _Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


class _CountingFunctions(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def operations_counted(model: nn.Module, x: Tensor) -> Any:
    with _Counting() as operations, _CountingFunctions() as functions:
        model(x).square().mean().backward()
    return operations.count, functions.count


def flops_counted(model: nn.Module, x: Tensor) -> Any:
    with FlopCounterMode(display=False) as flops:
        model(x).square().mean().backward()
    return flops.get_total_flops()


def another_default_device(model: nn.Module, x: Tensor) -> Any:
    with torch.device("meta"):
        loss = model(x).square().mean()
        loss.backward()
    return loss


def an_error_of_its_own(model: nn.Module, x: Tensor) -> Any:
    try:
        model[-1](model[0](x)[:, :2])
    except RuntimeError as error:
        return str(error), len(traceback.extract_tb(error.__traceback__)) > 0
    return None


def backward_twice(model: nn.Module, x: Tensor) -> Any:
    loss = model(x).square().mean()
    loss.backward()
    loss.backward()


def backward_of_many(model: nn.Module, x: Tensor) -> Any:
    y = model(x)
    torch.autograd.backward((part for part in (y.sum(), y.square().sum())), retain_graph=True)
    torch.autograd.backward(tensors=[y], grad_tensors=[torch.ones_like(y)], retain_graph=True)
    torch.autograd.backward(torch.autograd.graph.get_gradient_edge(y), torch.ones_like(y))
    return [p.grad for p in model.parameters()]


def backward_of_nothing(model: nn.Module, x: Tensor) -> Any:
    torch.autograd.backward(3)


def deep_recursion(model: nn.Module, x: Tensor) -> Any:
    class Nested(nn.Module):
        def forward(self, x: Tensor, depth: int) -> Tensor:
            return self(x * 1.0, depth - 1) if depth else x

    room = (1000 - len(traceback.extract_stack())) // 3 - 20
    return Nested()(model(x), room).square().mean()


def clipped(model: nn.Module, x: Tensor) -> Any:
    model(x).square().mean().backward()
    norm = nn.utils.clip_grad_norm_((p for p in model.parameters()), max_norm=0.1)
    nn.utils.clip_grad_value_(clip_value=0.05, parameters=model.parameters())
    return norm, [p.grad for p in model.parameters()]


def loaded_by_name(model: nn.Module, x: Tensor) -> Any:
    odd = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    kept = model.load_state_dict(odd, strict=False)
    taken = model.load_state_dict(model.state_dict())
    model(x).square().mean().backward()
    return sorted(kept.missing_keys), len(taken.unexpected_keys)


def loaded_in_batches(model: nn.Module, x: Tensor) -> Any:
    loader, seen = DataLoader(list(x), batch_sampler=([row] for row in range(len(x)))), []
    for _ in range(4):
        for rows in loader:
            seen.append(model(rows).square().mean())
            seen[-1].backward()
    return seen, type(iter(loader))


TRANSFORMS: dict[str, Transform] = {
    transform.__name__: transform
    for transform in (
        training, by_vmap, by_grad, by_grad_of_each, by_jvp, by_jacrev, by_functional_call, stacked, checkpointed,
        checkpointed_in_backward, checkpointed_by_choice, data_parallel, copied_in_mid_step, pickled_in_mid_step,
        saved_whole_in_mid_step, without_grad, in_inference, in_autocast, twice_backward, backward_with_graph,
        grad_instead_of_backward, batched_grad, jacobian, forward_mode, hooked_backward, hooked_tensors,
        hooked_modules, saved_elsewhere, saved_on_cpu, with_anomalies_detected, in_threads, backward_in_a_thread,
        forked, operations_counted, flops_counted, another_default_device, an_error_of_its_own, backward_twice,
        backward_of_many, backward_of_nothing, deep_recursion, clipped,
        loaded_by_name, loaded_in_batches,
    )
}  # fmt: skip

COSTLY: dict[str, Transform] = {
    transform.__name__: transform
    for transform in (
        scripted, exported, exported_strictly, compiled, compiled_ahead, traced_by_fx, traced_by_make_fx, traced_by_jit
    )
}  # fmt: skip
"""Each takes a second or so: tried on a few kinds."""

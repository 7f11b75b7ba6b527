"""The models that a script trains: its root modules, what the script calls them, and the parameters they own."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}


class Models:
    """The root modules met so far, by weak reference, each under the name that the script itself gives it."""

    def __init__(self) -> None:
        self._roots: list[weakref.ref[nn.Module]] = []
        self._names: dict[int, str] = {}
        self._paths: dict[int, str] = {}

    def __contains__(self, module: nn.Module) -> bool:
        return any(root is module for root in self)

    def misses(self, root: nn.Module) -> bool:
        """Whether a root owns parameters that no known root does: a wrapper made anew at each call owns none."""
        known = {id(parameter) for parameter in self.parameters()}
        return any(id(parameter) not in known for parameter in parameters_of(root))

    def __iter__(self) -> Iterator[nn.Module]:
        return (module for ref in self._roots if (module := ref()) is not None)

    def add(self, module: nn.Module, name: str) -> str:
        """Register a root under `name`, made unique; returns the name it got."""
        taken = set(self._names.values())
        unique = next(c for c in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if c not in taken)
        self._names[id(module)] = unique
        self._roots.append(weakref.ref(module))
        self.refresh()
        return unique

    def refresh(self) -> None:
        """Take in submodules that were added since; a root that became part of another is known by its own name."""
        self._paths = {}
        for root in self:
            for path, module in modules_of(root):
                self._paths.setdefault(id(module), _join(self._names[id(root)], path))

    def path(self, module: nn.Module) -> str:
        """The dotted path of a module, from its root's name on."""
        return self._paths.get(id(module), type(module).__name__)

    def parameter_names(self) -> dict[int, str]:
        """The dotted names of all parameters by id; a tied one by its first name."""
        names: dict[int, str] = {}
        for root in self:
            for path, parameter in named_parameters_of(root):
                names.setdefault(id(parameter), _join(self._names[id(root)], path))
        return names

    def parameters(self) -> tuple[nn.Parameter, ...]:
        """All parameters of all roots, each once."""
        return tuple({id(p): p for root in self for p in parameters_of(root)}.values())


def modules_of(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """A module and all within it, each once, by its path, in the order of `named_modules`, which a script may have
    made its own."""
    seen: set[int] = set()
    pending = [("", root)]
    while pending:
        path, module = pending.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield path, module
            within = [
                (f"{path}.{name}" if path else name, each) for name, each in module._modules.items() if each is not None
            ]
            pending += reversed(within)


def named_parameters_of(root: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters of a module and all within it, each once, by its path, in the order of `named_parameters`."""
    seen: set[int] = set()
    for path, module in modules_of(root):
        for name, parameter in module._parameters.items():
            if parameter is not None and id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{path}.{name}" if path else name, parameter


def parameters_of(root: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of a module and all within it, each once."""
    return (parameter for _, parameter in named_parameters_of(root))


def own_parameters(module: nn.Module) -> list[Tensor]:
    """The parameters that are the module's own, not its children's; none where a lazy module has not made them yet."""
    return [p for p in module._parameters.values() if p is not None and not is_lazy(p)]


def _join(root: str, path: str) -> str:
    kept = [part for part in path.split(".") if part and part not in _WRAPPERS]
    return ".".join([root, *kept])

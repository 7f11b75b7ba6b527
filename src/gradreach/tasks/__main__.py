"""`gradreach tasks`: a plain training script. It knows nothing of gradreach's watch, which sees it as any other."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import types
from collections.abc import Sequence
from functools import partial
from inspect import Parameter
from io import TextIOWrapper
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from gradreach.tasks.layers import LAYERS
from gradreach.tasks.models import ACTIVATIONS
from gradreach.tasks.offers import OFFERS, Offer
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Task
from gradreach.tasks.training import Training, train

MEANS = {
    "layer": f"one of {', '.join(LAYERS)}",
    "activation": f"one of {', '.join(ACTIVATIONS)}",
    "hidden": "units of the recurrent layer",
    "data": "a file or folder of your own, as said above",
    "batch": "samples a step",
    "rate": "learning rate",
    "optimizer": "how the weights are moved",
    "clip": "the largest global norm of a step's gradient, or none",
    "seed": "of the weights and the data",
    "steps": "updates, at most",
    "every": "updates between two tests",
}
"""What an option does, where its task does not say it."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(args: Sequence[str] | None = None) -> int:
    """Train the task that is named, or list them all. Wrong options end it with one sentence and exit code 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without × shall not end a training
    parser = _Parser(prog="gradreach tasks", description="Train a task of the theory.", epilog=_listing(), **_FORM)
    names = parser.add_subparsers(title="arguments", metavar="NAME", dest="name")
    known = {name: _add(names, name, offer) for name, offer in OFFERS.items()}
    given = vars(parser.parse_args(args))
    name = given.pop("name")
    if name is None:
        print(_listing())
        return 0
    try:
        recipe = _recipe(OFFERS[name], given)
        parameters = sum(p.numel() for p in recipe.build().model.parameters())
        steps, every = (_positive(each, given[each]) for each in ("steps", "every"))
    except (ValueError, ImportError, OSError) as wrong:
        known[name].error(str(wrong).splitlines()[0])
    print(f"{recipe.task.name}: {parameters:,} parameters, {_level(recipe.task)}", flush=True)
    print(_outcome(train(recipe, steps, every=every, after_test=_tell), recipe))
    return 0


_FORM: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}


def _listing() -> str:
    width = max(map(len, OFFERS))
    lines = [f"{name:<{width}}  {offer.says}" for name, offer in OFFERS.items()]
    return "\n".join([*lines, "", "Options of one:  gradreach tasks NAME --help"])


def _add(names: Any, name: str, offer: Offer) -> _Parser:
    """The parser of one task: its options are the arguments of what makes the task, the model and the recipe."""
    says = re.split(r"\n+(?:>>>|Raises )", inspect.cleandoc(offer.task.__doc__ or ""))[0].rstrip()
    options = "--layer gru --steps 300" if "layer" in _of_model(offer) else "--steps 300"
    example = f"Example:  gradreach tasks {name} {options}"
    own: _Parser = names.add_parser(name, description=says, epilog=example, help=argparse.SUPPRESS, **_FORM)
    offered = {"batch": offer.batch, "rate": offer.rate}
    for parameters in (_of_task(offer), _of_model(offer), _of_recipe()):
        for each in parameters.values():
            _option(own, each.name, each.annotation, offered.get(each.name, each.default))
    _option(own, "steps", int, offer.steps)
    _option(own, "every", int, 100)
    return own


def _of_task(offer: Offer) -> dict[str, Parameter]:
    return dict(inspect.signature(offer.task, eval_str=True).parameters)


def _of_model(offer: Offer) -> dict[str, Parameter]:
    """All but the first, which is the task."""
    return dict(list(inspect.signature(offer.model, eval_str=True).parameters.items())[1:])


def _of_recipe() -> dict[str, Parameter]:
    found = inspect.signature(Recipe, eval_str=True).parameters
    return {name: each for name, each in found.items() if name not in ("task", "model")}


def _option(parser: _Parser, name: str, kind: Any, default: Any) -> None:
    """--name, read as the annotation says: a truth value, one of some words, a number, a text or path, perhaps none."""
    flag, means = f"--{name.replace('_', '-')}", MEANS.get(name, "")
    shown = f"{means} (default {'none' if default is None else default})".strip()
    if kind is bool:
        parser.add_argument(flag, dest=name, action=argparse.BooleanOptionalAction, default=default, help=shown)
        return
    if get_origin(kind) is Literal:
        parser.add_argument(flag, dest=name, choices=get_args(kind), default=default, help=shown)
        return
    held = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    plain = next(each for each in held if each is not type(None))
    read = partial(_read, plain, type(None) in held)
    word = {int: "N", float: "X"}.get(plain, "PATH" if name == "data" else "NAME")
    parser.add_argument(flag, dest=name, type=read, default=default, metavar=word, help=shown)


def _read(kind: type, optional: bool, word: str) -> Any:
    if optional and word == "none":
        return None
    try:
        return kind(word)
    except ValueError:
        wanted = {int: "a whole number", float: "a number"}[kind] + (" or none" if optional else "")
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {word}") from None


def _recipe(offer: Offer, given: dict[str, Any]) -> Recipe:
    of_task, of_model, of_recipe = (
        {name: given[name] for name in each} for each in (_of_task(offer), _of_model(offer), _of_recipe())
    )
    return Recipe(offer.task(**of_task), partial(offer.model, **of_model), **of_recipe)


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return value


def _tell(steps: int, loss: float, error: float) -> None:
    print(f"step {steps:5d}  loss {loss:.4g}  test error {error:.4g}", flush=True)


def _level(task: Task) -> str:
    learned = "no level counts as learned" if task.solved is None else f"learned at {task.solved:g}"
    return f"test error by chance {task.chance:.4g}, {learned}"


def _outcome(training: Training, recipe: Recipe) -> str:
    if training.diverged:
        return f"diverged: the loss of step {training.steps} is {training.losses[-1]}"
    error = f"test error {training.errors[-1][1]:.4g}, by chance {recipe.task.chance:.4g}"
    if training.solved is not None:
        return f"solved after {training.solved} steps: {error}"
    if recipe.task.solved is None:
        return f"trained for {training.steps} steps: {error}"
    return f"not solved in {training.steps} steps: {error}"


if __name__ == "__main__":
    sys.exit(main())

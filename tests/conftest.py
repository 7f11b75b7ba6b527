"""Shapes in signatures are checked while the tests run."""

import jaxtyping

jaxtyping.install_import_hook("gradreach", "beartype.beartype")

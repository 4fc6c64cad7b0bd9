"""Who may import whom, and who may know threads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("reenact", "engines", "calib", "train")

MAY_IMPORT = {
    "calib": {"calib"},
    "engines": {"engines"},
    "reenact": {"reenact", "calib", "engines"},
    "train": {"train", "calib", "engines", "reenact"},
}
"""The project's own packages that each package may use. `train` degrades its pictures with the run-time's own
generator and judges its networks in the run-time's own loop."""

_BASE = {"records", "alignment"}
ROOMS: dict[str, set[str]] = {
    "records": set(),
    "alignment": set(),
    "process": set(),
    "track": {*_BASE, "process"},
    "doctor": {"track"},
    "media": {"records", "process", "doctor"},
    "pipeline": {"records", "process"},
    "programme": {"records"},
    "retarget": {"records", "programme", "track"},
    "generate": _BASE,
    "occlusion": {"records", "generate"},
    "measure": {*_BASE, "media", "pipeline", "track", "generate"},
    "recognise": {"records", "media", "track", "generate", "measure"},
    "figures": {"records", "media", "track", "programme", "measure"},
    "run": {
        *("records", "process", "doctor", "media", "pipeline", "track"),
        *("programme", "retarget", "generate", "occlusion", "measure", "recognise"),
    },
    "panel": {"records", "doctor", "programme", "retarget", "run"},
    "verify": {*_BASE, "media", "pipeline", "track", "programme", "measure", "figures", "run"},
}
"""The rooms of `reenact`, each with the rooms that it may import, which stand above it. The command line and
the modules on the ground floor are the roof: they may import all rooms, and no room imports them."""

NUMPY_AND_CV2_ONLY = {"calib"}
THREADS = {"threading", "queue", "concurrent", "multiprocessing", "asyncio", "_thread"}
MAY_KNOW_THREADS = {
    *("reenact.pipeline.runner", "reenact.pipeline.channel"),
    *("reenact.panel.server", "reenact.panel.osc", "reenact.panel.client"),
    *(
        "reenact.pipeline.meter",
        "reenact.retarget.controls",
        "reenact.process.settings",
        "reenact.run.desk",
        "reenact.run.image_editor",
        "reenact.run.session",
        "reenact.track.face_mesh",
    ),
}
"""Those in the last lines start none: each holds a lock, because all threads call it."""


def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


MODULES = modules()


def is_entry_point(module: str) -> bool:
    """The roof: may use what it needs."""
    if module.endswith("__main__"):
        return True
    return any(
        module == roof or module.startswith(f"{roof}.")
        for roof in ("reenact.cli", "train.commands", "calib.commands")
    )


def imports(module: str, *, at_import_time: bool = False) -> set[str]:
    """The dotted names that a module imports, anywhere or only where its import runs them."""
    tree = ast.parse(MODULES[module].read_text())
    return set().union(*map(_imported, _run_at_import(tree) if at_import_time else ast.walk(tree)))


def _imported(node: ast.AST) -> set[str]:
    """The dotted names that a statement imports; none, if it imports nothing."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{ast.unparse(node)} imports relatively"
        return {_module_of(f"{node.module}.{alias.name}") for alias in node.names}
    return set()


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: not those in functions or for the type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _run_at_import(child)


def _module_of(name: str) -> str:
    """`from a.b import c` names the module a.b.c if there is one, and otherwise a.b."""
    own = name.split(".")[0] in PACKAGES
    return name if own and name in MODULES else name.rpartition(".")[0]


def _allowed(name: str, allowed: set[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def own(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_only_the_packages_below_them(module):
    allowed = MAY_IMPORT[module.split(".")[0]]
    strangers = {name for name in own(imports(module)) if not _allowed(name, allowed)}
    assert is_entry_point(module) or strangers == set()


def room_of(name: str) -> str | None:
    """The room of `reenact` in which a module stands. None: it stands in none."""
    package, _, rest = name.partition(".")
    room = rest.split(".")[0]
    return room if package == "reenact" and room in ROOMS else None


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name)])
def test_rooms_import_only_the_rooms_that_they_may(module):
    room = room_of(module)
    assert room is not None
    # The package itself, for its version and its folder, is no room.
    imported = {name for name in imports(module) if name.startswith("reenact.")}
    assert {name for name in imported if room_of(name) not in {room, *ROOMS[room]}} == set()


def test_rooms_stand_in_the_order_of_their_imports():
    above: set[str] = set()
    for room, may_import in ROOMS.items():
        assert may_import <= above, f"{room} imports a room below it"
        above.add(room)


def test_every_room_needs_what_it_may_import():
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module in MODULES:
        if room := room_of(module):
            found[room] |= {other for name in imports(module) if (other := room_of(name)) and other != room}
    assert found == ROOMS


def test_every_package_of_reenact_is_a_room():
    packages = {path.name for path in (ROOT / "reenact").iterdir() if (path / "__init__.py").exists()}
    assert packages - {"cli"} <= set(ROOMS)


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("train")])
def test_nothing_in_the_runtime_imports_torch_or_train(module):
    assert {name for name in imports(module) if name.split(".")[0] in ("torch", "train")} == set()


@pytest.mark.parametrize("module", MODULES)
def test_nobody_imports_an_entry_point(module):
    assert is_entry_point(module) or {name for name in own(imports(module)) if is_entry_point(name)} == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[0] in NUMPY_AND_CV2_ONLY])
def test_calib_needs_numpy_and_cv2_only(module):
    outside = {name.split(".")[0] for name in imports(module)} - set(sys.stdlib_module_names) - {"calib"}
    assert is_entry_point(module) or outside <= {"numpy", "cv2"}


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("train")])
def test_only_the_runner_knows_threads(module):
    known = {name.split(".")[0] for name in imports(module)} & THREADS
    assert is_entry_point(module) or module in MAY_KNOW_THREADS or known == set()


def test_there_are_no_import_circles():
    graph = {module: own(imports(module, at_import_time=True)) & set(MODULES) for module in MODULES}
    visited: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join([*path[path.index(module) :], module])
        if module not in visited:
            for imported in sorted(graph[module] - {module}):
                visit(imported, (*path, module))
            visited.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("heavy", ["torch", "mediapipe", "onnxruntime", "cv2", "av"])
def test_importing_the_command_line_loads_nothing_heavy(heavy):
    if "reenact.cli" not in MODULES:
        pytest.skip("there is no command line yet")
    program = f"import sys, reenact.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_no_two_public_classes_have_one_name():
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


EXTRAS = {"torch", "safetensors", "onnx", "ray", "tensorrt", "cuda", "pillow_heif", "mkdocs"}
"""What only the extras install."""
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))


@cache
def extras_of(module: str) -> frozenset[str]:
    """The extras without which a module of ours cannot be imported."""
    if module not in MODULES:
        return frozenset({module.split(".")[0]} & EXTRAS)
    return frozenset().union(*map(extras_of, imports(module, at_import_time=True)))


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_test_file_is_skipped_before_it_imports_an_extra_that_is_missing(file):
    skipped: set[str] = set()
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        skipped |= set(re.findall(r"importorskip\('(\w+)", ast.unparse(statement)))
        for name in _imported(statement):
            assert extras_of(name) <= skipped, f"{name} needs {', '.join(extras_of(name) - skipped)}"

"""The configuration file: TOML whose sections are named for commands, and whose keys for their options."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULTS = "defaults"
"""The section of options that hold for every command that has them."""

UNCONFIGURED = ("config", "completion", "calib", "train")
"""The commands whose options are not taken from the file."""

_NUMBERS = ("float", "float range", "integer", "integer range")
"""The names of click's types whose values are written as numbers. Types with other names take text."""


class ConfigError(ValueError):
    """The configuration file cannot be read, or a section, option or value in it is wrong.

    section: the name of the section. None: the error is in no section. problem: what is wrong, in one line.
    """

    def __init__(self, path: Path, section: str | None, problem: str) -> None:
        super().__init__(f"{path}: {f'[{section}] ' if section else ''}{problem}")


@dataclass(frozen=True)
class ConfiguredOption:
    """An option that the file sets."""

    name: str
    """The name of the command's parameter."""
    section: str
    """The name of the section that sets it."""
    value: Any
    """The value as click takes it from a command line: text, or a bool for a flag."""
    text: str
    """The value as it is written in the file."""


@dataclass(frozen=True)
class ConfigFile:
    """A configuration file. A section is checked when a command needs it."""

    path: Path
    """The path of the file."""
    content: Mapping[str, Any]
    """The document as the TOML parser gives it."""

    def options_of(self, names: tuple[str, ...], command: click.Command) -> dict[str, ConfiguredOption]:
        """The options that the file sets for a command, by their long names without dashes.

        names: the names of the command, as in ('engines', 'build').

        Raises ConfigError where a section or key is unknown or a value is of the wrong type.
        """
        from reenact.cli.completion_table import load_table, option_names

        table = load_table()["commands"]
        self._check_sections(table)
        keys, found = _keys(command), dict[str, ConfiguredOption]()
        for key, value in self._section(DEFAULTS).items():
            if key in keys:
                found[key] = self._read(DEFAULTS, key, value, keys[key])
            else:
                self._check_key(DEFAULTS, key, option_names(table))
        section, below = ".".join(names), _below(table, names)
        for key, value in self._section(*names).items():
            if not (isinstance(value, dict) and key in below):
                self._check_key(section, key, [*keys, *below])
                found[key] = self._read(section, key, value, keys[key])
        return found

    def _section(self, *names: str) -> Mapping[str, Any]:
        section: Any = self.content
        for index, name in enumerate(names):
            section = section.get(name, {})
            if not isinstance(section, dict):
                where = ".".join(names[: index + 1])
                raise ConfigError(self.path, None, f"{where} is a value; write a section, [{where}]")
        return section

    def _check_sections(self, table: Mapping[str, Any]) -> None:
        known = [DEFAULTS, *(name for name in table if name not in UNCONFIGURED)]
        for name, value in self.content.items():
            if not isinstance(value, dict):
                problem = f"{name!r} is in no section; write it below [{DEFAULTS}] or a command's name"
                raise ConfigError(self.path, None, problem)
            if name not in known:
                raise ConfigError(
                    self.path, None, f"no section [{name}] is known; {_hint(name, known, brackets=True)}"
                )

    def _check_key(self, section: str, key: str, known: Collection[str]) -> None:
        if key in known:
            return
        if key.startswith("no-") and key[3:] in known:
            problem = f"no option {key!r} is known; write {key[3:]} = false"
        else:
            problem = f"no option {key!r} is known; {_hint(key, known)}"
        raise ConfigError(self.path, section, problem)

    def _read(self, section: str, key: str, value: Any, option: click.Option) -> ConfiguredOption:
        text = _shown(value)
        needed = _needed(option)
        given = _given(option, value)
        if given is None:
            raise ConfigError(self.path, section, f"{key} = {text}: {needed} is needed")
        assert option.name is not None
        return ConfiguredOption(option.name, section, given, text)


def default_path() -> Path:
    """The path of the user's configuration file, which need not exist."""
    from platformdirs import user_config_path

    return user_config_path("reenact", appauthor=False) / "config.toml"


def load_config(path: Path | None) -> ConfigFile | None:
    """The configuration file at this path, or else the user's. None: no path is given, and the user has no
    file.

    Raises ConfigError for a file that cannot be read or is not TOML.
    """
    if path is None:
        path = default_path()
        if not path.is_file():
            return None
    try:
        return ConfigFile(path, tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except UnicodeDecodeError as error:
        raise ConfigError(path, None, "the file is not text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, None, f"the file is not TOML: {error}") from error
    except OSError as error:
        raise ConfigError(path, None, error.strerror or str(error)) from error


def _keys(command: click.Command) -> dict[str, click.Option]:
    """The options of a command that may be set, by their long names without dashes."""
    return {
        name.removeprefix("--"): each
        for each in command.params
        if isinstance(each, click.Option) and each.name not in ("config", "help", "version")
        for name in each.opts
        if name.startswith("--")
    }


def _below(table: Mapping[str, Any], names: tuple[str, ...]) -> Collection[str]:
    """The names of the commands below the command of these names."""
    for name in names:
        table = table[name]["commands"]
    return table.keys()


def _given(option: click.Option, value: Any) -> Any:
    """The value as click takes it from a command line. None: it is of the wrong type."""
    if option.count:
        return value if _is_number(value, int) else None
    if option.is_flag:
        return value if isinstance(value, bool) else None
    if value is True and option.flag_value is not None and _takes_a_bare_flag(option):
        return option.flag_value
    if option.multiple:
        given = [_text(each) for each in (value if isinstance(value, list) else [value])]
        return None if None in given else given
    if option.type.name in _NUMBERS:
        whole = option.type.name.startswith("integer")
        return str(value) if _is_number(value, int if whole else (int, float)) else None
    return _text(value)


def _takes_a_bare_flag(option: click.Option) -> bool:
    """Whether the option may be given without a value, like --verify."""
    return bool(getattr(option, "_flag_needs_value", False))


def _needed(option: click.Option) -> str:
    if option.count:
        return "a whole number"
    if option.is_flag:
        return "true or false"
    if option.multiple:
        return 'text or a list of texts, as ["0:smile"],'
    if option.type.name in _NUMBERS:
        return "a whole number" if option.type.name.startswith("integer") else "a number without quotes"
    return "text in quotes"


def _text(value: Any) -> str | None:
    """The text of a value: of text itself, with ~ as the user's folder, or of a number, as in camera = 0.

    None: the value is neither.
    """
    if isinstance(value, str):
        return str(Path(value).expanduser()) if value.startswith("~") else value
    return str(value) if _is_number(value, (int, float)) else None


def _is_number(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """The value as it is written in TOML."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _hint(name: str, known: Collection[str], *, brackets: bool = False) -> str:
    close = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    names = [f"[{each}]" if brackets else each for each in (close or sorted(known))]
    return f"did you mean {names[0]}?" if close else f"choose from {', '.join(names)}"

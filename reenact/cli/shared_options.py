"""The options that every command has: --config, -v, -q and --log-file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from reenact.cli.config_file import UNCONFIGURED, ConfigError, ConfigFile, load_config
from reenact.cli.grouped import MESSAGES, GroupedOption
from reenact.cli.log_output import LogOutput

_CONFIG = "reenact.config"
"""The key of --config's path in a context's meta."""

_log = logging.getLogger(__name__)


class SharedOption(GroupedOption):
    """An option that all commands have. Its callback does its work; commands do not get its value."""

    def __init__(self, *names: str, **attributes: Any) -> None:
        super().__init__(names, group=MESSAGES, expose_value=False, is_eager=True, **attributes)


def share_options(command: click.Command, *, config: bool) -> click.Command:
    """Adds these options to the command and to all commands below it, and returns the command.

    config: whether options may come from the configuration file.
    """
    if not any(isinstance(each, SharedOption) for each in command.params):
        command.params += _options(config)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            share_options(each, config=config)
    return command


def _options(config: bool) -> list[click.Parameter]:
    file = SharedOption(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        callback=_configure,
        help="Take options from this TOML file; the command line overrides it. [default: the file that "
        "`reenact config` names]",
    )
    return [
        *([file] if config else []),
        SharedOption(
            "-v",
            "--verbose",
            count=True,
            callback=_set(LogOutput.be_verbose, _has_loudness),
            help="Also show what is done; -vv: every detail.",
        ),
        SharedOption(
            "-q",
            "--quiet",
            is_flag=True,
            callback=_set(lambda output, quiet: output.be_quiet(), _has_loudness),
            help="Show neither notes nor progress; warnings and errors are always shown.",
        ),
        SharedOption(
            "--log-file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            callback=_set(_write_log, lambda output: output.path is not None),
            help="Add every message in every detail, with its time, to FILE.",
        ),
    ]


def _set(
    change: Callable[[LogOutput, Any], None], is_set: Callable[[LogOutput], bool]
) -> Callable[[click.Context, click.Parameter, Any], None]:
    """The callback of an option that makes this change if the option is given.

    is_set: whether the command line has made the change already, so that the configuration file does not.
    """

    def callback(context: click.Context, option: click.Parameter, value: Any) -> None:
        output = context.find_object(LogOutput)
        if not value or output is None or context.resilient_parsing:
            return
        if _source(context, option) is ParameterSource.DEFAULT_MAP and is_set(output):
            return
        change(output, value)

    return callback


def _has_loudness(output: LogOutput) -> bool:
    return output.quiet or output.verbosity > 0


def _write_log(output: LogOutput, path: Path) -> None:
    if output.path is not None:
        raise click.UsageError("--log-file is given twice")
    try:
        output.write_to(path)
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror or error}", param_hint="--log-file") from error


def _configure(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Makes the options that the configuration file sets the defaults of the command."""
    if context.resilient_parsing:
        return
    if path is not None:
        context.meta[_CONFIG] = path
    names = command_names(context)
    if not names or names[0] in UNCONFIGURED:
        return
    config = load_config(context.meta.get(_CONFIG))
    if config is None:
        return
    found = config.options_of(names, context.command)
    context.default_map = {each.name: each.value for each in found.values()}
    if found:
        options = ", ".join(f"{key} = {each.text}" for key, each in found.items())
        _log.info("%s sets: %s", config.path, options)


def given_config(context: click.Context) -> ConfigFile | None:
    """The file that --config names, or else the user's. None: there is no file."""
    return load_config(context.meta.get(_CONFIG))


def given_path(context: click.Context) -> Path | None:
    """The path that --config names. None: the option was not given."""
    return context.meta.get(_CONFIG)


def command_names(context: click.Context) -> tuple[str, ...]:
    """The names of a command and of those above it, without the program's: ('engines', 'build')."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    return tuple(names)


def in_config(error: click.UsageError) -> str | None:
    """The message for a refused value of the configuration file. None: the value is not from there."""
    context = error.ctx
    option = error.param if isinstance(error, click.BadParameter) else None
    if context is None or option is None or _source(context, option) is not ParameterSource.DEFAULT_MAP:
        return None
    config = given_config(context)
    if config is None:
        return None
    for key, each in config.options_of(command_names(context), context.command).items():
        if each.name == option.name:
            return str(ConfigError(config.path, each.section, f"{key} = {each.text}: {error.message}"))
    return None


def _source(context: click.Context, option: click.Parameter) -> ParameterSource | None:
    return None if option.name is None else context.get_parameter_source(option.name)

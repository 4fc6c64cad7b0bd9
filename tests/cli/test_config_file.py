"""The configuration file: what it sets, what wins over it, and what it must not say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import reenact.cli.image
from reenact.cli import main
from reenact.cli.config import TEMPLATE
from reenact.cli.config_file import load_config


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What `reenact image` would have been called with."""
    values: dict[str, object] = {}
    monkeypatch.setattr(reenact.cli.image.image, "callback", values.update)
    return values


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "lab.toml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def image(config: Path, *arguments: str) -> Result:
    return run("image", "in.jpg", "out.png", "--config", config, *arguments)


def test_a_commands_section_wins_over_defaults_and_the_command_line_over_both(config, seen):
    config.write_text(
        '[defaults]\nstrength = 0.5\nmax-faces = 3\ncrf = 18\n[image]\nstrength = 0.7\nfaces="all"'
    )
    assert image(config).exit_code == 0
    assert (seen["strength"], seen["max_faces"], seen["faces"]) == (0.7, 3, "all")
    assert image(config, "--strength", "1.2").exit_code == 0
    assert (seen["strength"], seen["max_faces"]) == (1.2, 3)


def test_options_that_no_section_names_have_their_defaults(config, seen):
    config.write_text("[webcam]\nstrength = 0.5")
    assert image(config).exit_code == 0
    assert seen["strength"] == 1.0


def test_values_are_those_of_the_command_line(config, seen):
    config.write_text(
        '[image]\ntarget-aus = "AU12=+2"\nface = ["0:smile", "1:sad"]\nown-mouth = false\nunsafe = true\n'
        'sweep = "AU12=0:2:3"\nverify = true\nlandmarker = "~/face.task"'
    )
    assert image(config).exit_code == 0
    assert str(seen["target_aus"]) == "AU12=+2"
    assert [request.face for request in seen["requests"]] == [0, 1]
    assert seen["own_mouth"] is False and seen["unsafe"] is True and len(seen["sweeps"]) == 1
    assert str(seen["verify_page"]) == "beside the output"
    assert seen["landmarker"] == Path.home() / "face.task"


def test_the_option_may_stand_before_the_command_too(config, seen):
    config.write_text("[image]\nstrength = 0.25")
    assert run("--config", config, "image", "in.jpg", "out.png").exit_code == 0
    assert seen["strength"] == 0.25


def test_the_users_own_file_is_found(tmp_path, monkeypatch, seen):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "reenact").mkdir()
    (tmp_path / "reenact" / "config.toml").write_text("[image]\nstrength = 0.25")
    assert run("image", "in.jpg", "out.png").exit_code == 0
    assert seen["strength"] == 0.25


def test_quiet_and_a_log_file_may_stand_there(config, seen, tmp_path):
    log = tmp_path / "log.txt"
    config.write_text(f"[defaults]\nquiet = true\nlog-file = '{log}'")
    assert image(config).exit_code == 0
    assert "reenact 0." in log.read_text()
    assert image(config, "-v").stderr.startswith("Info: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("strength = 1", "'strength' is in no section; write it below [defaults] or a command's name"),
        ("[imgae]\nstrength = 1", "no section [imgae] is known; did you mean [image]?"),
        ("[train]\nseed = 1", "no section [train] is known; choose from [aus], [bench], "),
        ("[image]\nstrenght = 1", "[image] no option 'strenght' is known; did you mean strength?"),
        ("[image]\nmax_faces = 1", "[image] no option 'max_faces' is known; did you mean max-faces?"),
        ("[defaults]\nmax_faces = 1", "[defaults] no option 'max_faces' is known; did you mean max-faces?"),
        (
            "[image]\nno-own-mouth = true",
            "[image] no option 'no-own-mouth' is known; write own-mouth = false",
        ),
        ("[image]\nconfig = 'a'", "[image] no option 'config' is known; "),
        ('[image]\nstrength = "1"', '[image] strength = "1": a number without quotes is needed'),
        ("[image]\nmax-faces = 1.5", "[image] max-faces = 1.5: a whole number is needed"),
        ("[image]\nmax-faces = true", "[image] max-faces = true: a whole number is needed"),
        ("[image]\nown-mouth = 1", "[image] own-mouth = 1: true or false is needed"),
        ("[image]\npreset = true", "[image] preset = true: text in quotes is needed"),
        ("[image]\npreset = ['smile']", '[image] preset = ["smile"]: text in quotes is needed'),
        (
            "[image]\nface = [true]",
            '[image] face = [true]: text or a list of texts, as ["0:smile"], is needed',
        ),
        ("[image]\nverbose = true", "[image] verbose = true: a whole number is needed"),
        ("[image]\nstrength = 9", "[image] strength = 9: 9.0 is not in the range 0<=x<=1.5"),
        ("[image]\nstrength = nan", "[image] strength = NaN: 'nan' is not a number"),
        ("[defaults]\npreset = 'smil'", "[defaults] preset = \"smil\": 'smil' at character 1 is neither"),
        ("[image", "the file is not TOML: "),
        (
            "[image]\nstrength = 2022-01-01",
            '[image] strength = "2022-01-01": a number without quotes is needed',
        ),
    ],
)
def test_what_cannot_be_followed_is_one_line_that_names_file_and_key(config, seen, text, line):
    config.write_text(text)
    for result in (image(config), run("--config", config, "config")):
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {config}: {line}")
        assert result.stderr.count("\n") == 1
    assert seen == {}


def test_a_wrong_value_that_the_command_line_replaces_does_no_harm(config, seen):
    config.write_text("[image]\nstrength = 9")
    assert image(config, "--strength", "1").exit_code == 0


def test_a_file_that_is_not_there_or_no_text_is_one_line(config, tmp_path, seen):
    assert image(config).stderr == f"Error: {config}: No such file or directory\n"
    config.write_bytes(b"\xff\xfe\x00")
    assert image(config).stderr == f"Error: {config}: the file is not text in UTF-8\n"
    assert image(tmp_path).exit_code == 2


def test_help_is_there_whatever_the_file_says(config):
    config.write_text("[image]\nstrenght = 1")
    assert run("--config", config, "image", "--help").exit_code == 0


def test_groups_of_commands_have_sections_of_their_own(config):
    config.write_text("[engines.bench]\nrounds = 2\n[engines]\nlog-file = 'a'")
    result = run("--config", config, "config")
    assert "rounds = 2                             [engines.bench]" in result.stdout
    config.write_text("[engines.bnech]\nrounds = 2")
    assert "did you mean bench?" in run("--config", config, "engines", "list").stderr


def test_config_shows_what_is_in_force(config):
    config.write_text('[defaults]\nstrength = 0.7\n[image]\nstrength = 0.9\npreset = "smile"')
    lines = run("--config", config, "config").stdout.splitlines()
    assert lines[0] == str(config)
    start = lines.index("reenact image")
    assert [line.split() for line in lines[start + 1 : start + 3]] == [
        ["strength", "=", "0.9", "[image]"],
        ["preset", "=", '"smile"', "[image]"],
    ]
    start = lines.index("reenact webcam")
    assert lines[start + 1].split() == ["strength", "=", "0.7", "[defaults]"]


def test_config_names_the_place_where_no_file_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert str(tmp_path / "reenact" / "config.toml") in run("config").stdout


def test_init_writes_a_template_and_replaces_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "reenact" / "config.toml"
    assert run("config", "init").stdout == f"{path}\n"
    assert path.read_text() == TEMPLATE
    path.write_text("[image]\nstrength = 0.5\n")
    result = run("config", "init")
    assert result.exit_code == 1 and "exists already" in result.stderr
    assert path.read_text() == "[image]\nstrength = 0.5\n"


def test_every_line_of_the_template_can_be_set(config):
    lines = [re.sub(r"^# (?=[a-z-]+ = )", "", line) for line in TEMPLATE.splitlines()]
    config.write_text("\n".join(lines))
    file = load_config(config)
    assert file is not None and sum(map(len, file.content.values())) >= 15
    result = run("--config", config, "config")
    assert result.exit_code == 0, result.output

"""What a line says of itself."""

import pytest

from llamactl.core.lines import Line, at_least, of_run, redacted


def told(*lines: str) -> list[tuple[str, float]]:
    return [(line.level, line.time) for line in of_run("m", 1000.0, lines)]


def test_the_level_and_time_of_a_stamp() -> None:
    [line] = of_run("m", 1000.0, ["1.02.003.004 W srv  x: slow"])
    assert line == Line("m", line.time, "warn", "1.02.003.004 W srv  x: slow")
    assert line.time == pytest.approx(1062.003004)
    assert [level for level, _ in told("0.00.000.001 D a", "0.00.000.001 I failed", "0.00.000.001 E c")] == [
        "debug",
        "info",
        "error",
    ]


def test_a_line_without_a_stamp_goes_on_with_the_one_before() -> None:
    lines = told("0.00.001.000 W a", "  more of it", "ggml: out of memory: failed to allocate", "0.00.002.000 I b", "c")
    assert [level for level, _ in lines] == ["warn", "warn", "error", "info", "info"]
    assert [round(time - 1000, 3) for _, time in lines] == [0.001, 0.001, 0.001, 0.002, 0.002]


def test_what_is_asked_and_answered_is_no_complaint() -> None:
    assert [level for level, _ in told("0.00.001.000 D prompt: why", "it failed with an error")] == ["debug", "debug"]
    assert told("0.00.001.000 D prompt", "GGML_ASSERT(x) failed")[1][0] == "error"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("load_tensors: offloaded 33/33 layers to GPU", "info"),
        ("llama_model_load: error loading model", "error"),
        ("llama_context: n_ctx is too high -- warning", "warn"),
        ("the flag is deprecated", "warn"),
        ("terminate called, what(): bad_alloc", "error"),
    ],
)
def test_builds_without_stamps(line: str, level: str) -> None:
    """What they write on stderr is not all bad news."""
    assert told(line) == [(level, 1000.0)]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("key llk_4fUhJ2k9_x was used", "key llk_*** was used"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("token hf_AbCdEfGhIjKl, again", "token hf_***, again"),
        ('{"api_key": "s3cr3t-1"}', '{"api_key": "***"}'),
        ("--api-key=s3cr3t-1 --port 1", "--api-key=*** --port 1"),
        ("x-api-key: s3cr3t-1", "x-api-key: ***"),
        ("postgres password=hunter22&x=1", "postgres password=***&x=1"),
    ],
)
def test_secrets(said: str, kept: str) -> None:
    assert redacted(said) == kept


@pytest.mark.parametrize(
    "line", ["print_info: EOS token        = 2 '</s>'", "n_tokens = 5120, kv key cache", "basket hf, risk of secrets"]
)
def test_what_is_no_secret(line: str) -> None:
    assert redacted(line) == line


def test_levels() -> None:
    assert at_least("warn") == {"warn", "error"}

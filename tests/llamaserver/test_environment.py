from llamactl.llamaserver.environment import clean


def test_what_would_change_a_server_or_betray_the_daemon_is_dropped() -> None:
    unwanted = {
        "LLAMA_ARG_CTX_SIZE": "1",
        "LLAMA_API_KEY": "secret",
        "LLAMA_SERVER_ROUTER_PORT": "1",
        "HF_TOKEN": "secret",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "LISTEN_FDNAMES": "http",
        "LLAMACTL_HTTP_PORT": "1",
        "LLAMACTL_API_KEY": "secret",
    }
    assert clean(unwanted, {}) == {}


def test_the_rest_is_kept() -> None:
    kept = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "GGML_NO_BACKTRACE": "1", "LLAMA_CACHE": "/c", "HF_HOME": "/h"}
    assert clean(kept, {}) == kept


def test_additions_win() -> None:
    assert clean({"LD_LIBRARY_PATH": "/a"}, {"LD_LIBRARY_PATH": "/b:/a"}) == {"LD_LIBRARY_PATH": "/b:/a"}

"""Can the configuration be read as a whole?"""

from collections.abc import Iterator

from llamactl.config import load, sources
from llamactl.core.errors import BadRequest
from llamactl.core.finding import Finding, ok, problem
from llamactl.doctor.case import Case


def check(case: Case) -> Iterator[Finding]:
    """What is wrong with it, all of it: that of the daemon, too, where it reads another file."""
    if case.remote:
        return
    own, its = load.user_file(case.file), case.directories.config_file
    wrong = load.problems(case.file)
    if its not in (own, load.SYSTEM_FILE):
        try:
            text = sources.text(its, forbidden_ok=True)
            wrong += sources.check(its, text) if text else []
        except BadRequest as error:
            wrong.append(error)
    for each in wrong:
        edit = "" if its == own else f" --config {its}"
        yield problem("configuration-invalid", each.message, each.hint, f"llamactl{edit} config edit")
    if not wrong:
        yield ok("configuration", f"{its} is valid" if its.exists() else "nothing is configured: all is as it comes")

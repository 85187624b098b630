"""Which instances may be resident, and which requests may go to them.

The scheduler is told what happens (a request, a lease given back, an instance ready or gone, time
passing) and answers with effects for the supervisor to perform. It never asks; its own tables are the
only truth about who holds memory. Start reading at `scheduler.Scheduler`.

The rules:

- A ready instance serves at once, whoever else waits, until somebody has waited `max_wait` for its place.
- Models that need a start are taken in the order of who, of those still waiting, asked first; a higher
  priority comes before, but not before those who have waited `max_wait`. What the first in line wait for is
  kept for them: others start beside them only with memory that they will not need.
- Only idle instances are stopped to make room, those whose loss weighs least, and only when that makes enough.
- Whoever waits while an instance loads is served by it, even if it must go right afterwards.
- Memory counts from the decision to start until the process is gone, and then until it is measured to be back.
- A limit on the number of models, of all or of a group, counts like the memory of one more device.
- While a member of an exclusive group is resident, only members of it are.
"""

from llamactl.core.scheduler.effects import Effect, Grant, Refuse, Start, Stop
from llamactl.core.scheduler.limits import Group, Limits
from llamactl.core.scheduler.residents import Resident
from llamactl.core.scheduler.scheduler import Scheduler, Wait

__all__ = ["Effect", "Grant", "Group", "Limits", "Refuse", "Resident", "Scheduler", "Start", "Stop", "Wait"]

"""What a process can see of the machine, and what it may do there: the daemon's is not always the user's."""

from collections.abc import Iterator

import msgspec


class Node(msgspec.Struct, frozen=True):
    """The device file of a GPU; `group` owns it, `usable` is for reading and writing."""

    path: str
    group: str
    usable: bool


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Of one process, run by `user`.

    `gpus` are those whose drivers tell of them, by name. `memlock` is how many bytes may be kept from being swapped
    out, `files` how many may be open at once; None is no limit.
    """

    uid: int
    user: str
    groups: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    gpus: tuple[str, ...] = ()
    memlock: int | None = None
    files: int | None = None

    def node(self, path: str) -> Node | None:
        return next((node for node in self.nodes if node.path == path), None)

    @property
    def forbidden(self) -> list[Node]:
        """Device files that are there, and not for this process."""
        return [node for node in self.nodes if not node.usable]

    def lacks(self, other: "Surroundings") -> Iterator[tuple[str, str]]:
        """What the other process can use of GPUs and this one cannot, and why."""
        for node in other.nodes:
            mine = self.node(node.path)
            if node.usable and mine is None:
                yield node.path, "it is not there for it: its unit hides devices, or it runs in a container"
            elif node.usable and mine is not None and not mine.usable:
                yield node.path, f"it runs as {self.user}, who is not in the group {mine.group}"
        left = list(self.gpus)
        for gpu in other.gpus:
            if gpu in left:
                left.remove(gpu)
            else:
                yield gpu, "its driver tells it nothing of this one: it may have been loaded later, or be hidden"

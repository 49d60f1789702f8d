"""Everything that can go wrong on purpose.

MaError
├── Exposed            shown to a person, with the remedy in its message
│   ├── InvalidInput   a form or argument; `problems` maps field to message
│   ├── InvalidRule    a segment rule; `path` says where
│   ├── InvalidPeriod  a start that is not before its end
│   ├── NotFound       no such row
│   ├── NotSignedIn    nobody's session, token or password
│   ├── TooManyAttempts  wrong passwords; `wait` says for how long none is looked at
│   ├── NotAllowed     the actor's role lacks a permission
│   ├── Conflict       somebody else changed it, or the step is not possible now
│   │   ├── Stale      somebody else changed it since the version that the caller saw
│   │   └── NobodyLeft a launch that would reach nobody; `step` says where the last were lost
│   ├── FileProblem    a file that cannot be read
│   └── NotReady       the database is missing, older or newer than this program
└── BrokerUnavailable  the event bus did not answer: retry later
"""

from datetime import timedelta


class MaError(Exception):
    """Any error this package raises on purpose."""


class Exposed(MaError):
    """An error whose message is written for the person at the screen."""


class InvalidInput(Exposed):
    """Input that cannot be accepted; `problems` maps each field to what is wrong and the remedy."""

    def __init__(self, problems: dict[str, str]):
        self.problems = problems
        super().__init__(" ".join(problems.values()))


class InvalidRule(Exposed):
    """A segment rule that cannot be accepted; `path` points at the place, as in all[1].value."""

    def __init__(self, problem: str, *, path: str = "", remedy: str = ""):
        self.problem, self.path, self.remedy = problem, path, remedy
        where = f" in {path}" if path else ""
        super().__init__(f"{problem}{where}.{' ' + remedy if remedy else ''}")


class InvalidPeriod(Exposed):
    """A period whose start is not before its end."""


class NotFound(Exposed):
    """No such customer, segment, campaign or user."""


class NotSignedIn(Exposed):
    """There is no session, token or password that says who it is."""


class TooManyAttempts(Exposed):
    """Too many wrong passwords; none is looked at before `wait` is over."""

    def __init__(self, message: str, *, wait: timedelta):
        self.wait = wait
        super().__init__(message)


class NotAllowed(Exposed):
    """The actor's role does not include the permission."""


class Conflict(Exposed):
    """The change does not fit the present state; the message says what to do instead."""


class Stale(Conflict):
    """Somebody else changed it since the version that the caller saw; nothing was saved."""


class NobodyLeft(Conflict):
    """A launch that would reach nobody; `step` of the waterfall is where the last of them were lost."""

    def __init__(self, message: str, *, step: str):
        self.step = step
        super().__init__(message)


class FileProblem(Exposed):
    """A file that is missing or cannot be read as what it should be."""


class NotReady(Exposed):
    """The workspace's database is missing, older or newer than this program."""


class BrokerUnavailable(MaError):
    """The event bus did not answer. Nothing is lost; the relay tries again."""

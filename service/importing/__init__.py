"""Files -> rows: what is new is added, what is here already is changed, whole or not at all.

`look` tells beforehand what would change, without changing it: every field with what it says before and after, and
apart from the rest each safeguard that would weaken, which somebody then confirms one by one. Nothing is ever removed
by being left out of a file, and no column that a file does not have is touched. What has a story in Kith – a proposal
on its way, a child's no while a match is live – is not rewritten by a file: such a row is refused, and says where to
record it. A fault of a record that stood before keeps nothing else of its row out.
"""

from service.importing.echo import Change, Changed, Echo, New, Weaker, named_in
from service.importing.here import children_of
from service.importing.impossible import stood
from service.importing.looking import look, stamp
from service.importing.taking_in import REASONS, take_in

__all__ = [
    "REASONS", "Change", "Changed", "Echo", "New", "Weaker", "children_of", "look", "named_in", "stamp", "stood",
    "take_in",
]  # fmt: skip

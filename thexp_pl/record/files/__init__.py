"""Which files of a run's held parts came, changed and went: as it happens, and at the end.

`changes` is the door; `watcher` does the work, one task after another; `eyes` keep `watch`, which
is watchdog's, on the right folders; `known` compares the files, by their `stamps`; `pace` says how
often; `teller` tells the journal and the listeners; `final` hashes what is left. All but the last
is done in the thread of a `worker`.
"""

from __future__ import annotations

from thexp_pl.record.files.changes import FileChanges
from thexp_pl.record.files.teller import Listener

__all__ = ["FileChanges", "Listener"]

"""From jobs to calls: lanes with leases, the call ledger, retries, brakes, and the sweep that hears unheard bells.

What should be done is decided in ``policy`` and ``planning``; here it is done, once, and written down truly.
"""

from worker.execution.context import LEASE, Execution, Patience
from worker.execution.run import run_next
from worker.execution.sweep import Sweep, sweep_once
from worker.execution.unheard import Unheard

__all__ = ["LEASE", "Execution", "Patience", "Sweep", "Unheard", "run_next", "sweep_once"]

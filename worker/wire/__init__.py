"""HTTP as we speak it to others: connections with a deadline for each call, and how long they ask to be left alone.

Knows nothing of ours. What is asked of whom, and what an answer means, is decided elsewhere.
"""

from worker.wire.connection import CALL_DEADLINE, COUNTED_FROM, ThreadClients, elapsed_s, open_client, trusted
from worker.wire.patience import retry_after_s

__all__ = [
    "CALL_DEADLINE",
    "COUNTED_FROM",
    "ThreadClients",
    "elapsed_s",
    "open_client",
    "retry_after_s",
    "trusted",
]

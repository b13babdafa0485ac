"""How large a roster file and what is in it may be, so that no file fills the memory."""

LONGEST_ROW = 64 * 1024
"""Characters, line ends included."""
MOST_ROWS = 1_000_000
MOST_COLUMNS = 500

"""The commands, a module per group: each reads its arguments, calls a room and shows what came of it."""

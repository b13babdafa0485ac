"""How a command says that it failed."""


class Failed(Exception):
    """The command could not do what was asked; its message is the sentence that the person reads."""

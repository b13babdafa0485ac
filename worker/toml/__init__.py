"""Reading TOML files that people write, so that everything wrong in one is told with its line, its key and a sentence.

What the files say is the policy's and the sources' business; nothing here knows either.
"""

"""What is known of Migadu's API, a test for each fact, asked over plain HTTP with no client of ours.

It runs against a sandbox of its own. With `--migadu-url` and `--migadu-domain` it runs against the API there, on a
domain that must be empty; user and key come from MAILROSTER_TEST_MIGADU_USER and MAILROSTER_TEST_MIGADU_KEY (or
MAILROSTER_TEST_MIGADU_KEY_FILE). Every object that a test makes is deleted after it.

Each test cites the fact it checks: `migadu-api.txt` is the official text, `migadu-behaviour.md` what has been observed,
section 5 of it the sandbox's table.
"""

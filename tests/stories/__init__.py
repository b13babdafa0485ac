"""Lifecycle stories: what happens to people, and the mail that must come of it, as files that HR can read.

Each file in ``data`` is played twice: by the pure rooms alone (``pure``), and end to end by real processes on a sandbox
(``real``). ``test_town`` then holds each against what it does not say: that events may come late, in any order and
again (``retold``), and that what is done can be undone.

To write one, copy a file. It has

- ``story`` and ``teaches``: what happens, and what is to be seen in it;
- ``policy``: what differs from ``house.toml``, added below it; or the whole policy, if it has an ``[organisation]``;
- ``exists``: what the mail host holds before, none of it ours, in the lines that ``mail`` knows;
- ``late = true`` where all of it, told at the end at once and in any order, ends in the same (a test says if it does);
- ``[[moments]]`` in the order of time, each with

  - ``at``: by the organisation's clock, or with an offset of its own;
  - ``by_hand``: what somebody does at the mail host itself first: ``method``, ``path`` below ``domains/``, ``body``;
  - ``events``: ``what`` happens to ``who`` (their key at the source), told by ``hr`` unless ``told_by`` says another,
    then, unless ``happened`` says when else; ``in_time`` says why it cannot be heard late (``story.InTime`` has the
    reasons); every further key is a fact, and those in ``empty`` are known to be empty;
  - ``reconcile = true``: an operator has the mail host compared with what is wanted, and repaired;
  - ``mail``: what the mail host holds once all is done (leave it out where nobody looks);
  - ``needs``: of each job that needs a person then, a part of its reason.

Between the moments time goes on as in life: whatever is due on the way is done when it is due.
"""

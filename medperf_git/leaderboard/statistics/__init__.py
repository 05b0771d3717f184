"""The numerics of the leaderboard: arrays in, arrays out; nothing here knows a record, a page or a name.

Values are oriented so that larger is better, unless a name says rank; a rank is a whole number, 1 is best, and models
that tie share the smallest (1, 2, 2, 4). Everything is rounded to 12 decimals before it is ranked.
docs/reference/statistics.md gives every rule with its formula, its source and the published numbers it is checked by.
"""

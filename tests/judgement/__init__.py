"""Tests of the judgement: rules, judge, blame, ledger."""

"""Checks of operations in tests: right ones pass, wrong ones fail, and the screen says the reason."""

from harness import check_vjp


def verdict(forward, backward=None, **options):
    found = check_vjp(forward, backward, **options)
    assert found.reason in str(found)
    return found


def right(forward, backward=None, **options):
    found = verdict(forward, backward, **options)
    assert (found.verdict, [f.message for f in found.failing]) == ("PASS", []), str(found)
    return found


def wrong(forward, backward=None, **options):
    found = verdict(forward, backward, **options)
    assert (found.verdict, found.exit) == ("FAIL", 1), str(found)
    return found

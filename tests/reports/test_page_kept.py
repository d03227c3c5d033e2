"""A page never takes the place of what it is made from, and one that was there stays until the new one is whole."""

import pytest

from harness.rendering import pages
from tests.helpers.command import typed


def harness(folder, *arguments):
    return typed(*arguments, cwd=folder)


def test_a_record_and_a_page_of_one_name_are_refused_before_anything_is_done(tmp_path):
    (tmp_path / "folder").mkdir()
    ended = harness(tmp_path, "run", "--steps", "1", "--output", "r.html", "--report", "folder/../r.html")
    assert ended.returncode == 2
    assert "that is the record it is made from" in ended.stderr
    assert not (tmp_path / "r.html").exists()


def test_a_record_is_not_replaced_by_its_own_page(tmp_path):
    record = tmp_path / "g.html"
    assert harness(tmp_path, "run", "--steps", "1", "--against", "hand", "--output", "g.html").returncode in (0, 5)
    before = record.read_bytes()
    ended = harness(tmp_path, "report", "g.html", "-o", "g.html")
    assert ended.returncode == 2
    assert record.read_bytes() == before


@pytest.mark.parametrize("fails", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_a_page_that_was_there_stays_where_the_new_one_cannot_be_written(tmp_path, monkeypatch, fails):
    page = tmp_path / "page.html"
    page.write_text("the old one")
    monkeypatch.setattr(pages, "_reporter", lambda: lambda result: "the new one")
    write = pages.page_writer(str(page))
    monkeypatch.setattr(pages.Path, "replace", lambda self, target: (_ for _ in ()).throw(fails))
    with pytest.raises((pages.UsageError, KeyboardInterrupt)):
        write(None)
    assert page.read_text() == "the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_page_keeps_the_mode_of_the_one_before(tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    page.write_text("the old one")
    page.chmod(0o640)
    monkeypatch.setattr(pages, "_reporter", lambda: lambda result: "the new one")
    pages.page_writer(str(page))(None)
    assert page.read_text() == "the new one"
    assert page.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(pages.os, "symlink"), reason="no symbolic links here")
def test_a_page_goes_where_a_link_leads_and_may_have_the_longest_name(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_reporter", lambda: lambda result: "the page")
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "page.html", tmp_path / "link.html"
    link.symlink_to(target)
    made = []
    aside = pages.NamedTemporaryFile
    monkeypatch.setattr(pages, "NamedTemporaryFile", lambda *a, **k: made.append(k["dir"]) or aside(*a, **k))
    pages.page_writer(str(link))(None)
    assert (link.is_symlink(), target.read_text()) == (True, "the page")
    assert made == [target.parent]  # which alone is sure to be on the file system of the target
    longest = tmp_path / f"{'n' * 250}.html"
    pages.page_writer(str(longest))(None)
    assert longest.read_text() == "the page"

"""filetable.py passes a true table and finds each way in which one can lie."""

import filetable


def findings(tree):
    return list(filetable.check(tree.root))


def test_true_table_is_clean(good):
    assert findings(good) == []


def test_file_without_row(good):
    good.write("src/io/fs.c", "")
    assert findings(good) == ["src/io/fs.c: not in the table of files of docs/DESIGN.md"]


def test_row_without_file(good):
    good.remove("src/base/buf.c")
    [finding] = findings(good)
    assert finding.endswith("src/base/buf.c does not exist")


def test_neighbour_of_a_row_without_file(good):
    good.remove("src/core/plan.h")
    [finding] = findings(good)
    assert finding.endswith("src/core/plan.h does not exist")


def test_file_in_two_rows(good):
    good.append("docs/DESIGN.md", "| src/aws/s3.h | again |\n")
    [finding] = findings(good)
    assert "also stands in line" in finding


def test_row_without_job(good):
    good.write("action/help.c", "")
    good.append("docs/DESIGN.md", "| action/help.c | |\n")
    [finding] = findings(good)
    assert finding.endswith("action/help.c has no job")


def test_launcher_counts(good):
    good.write("action/run.sh", "")
    [finding] = findings(good)
    assert finding.startswith("action/run.sh: not in")


def test_no_page(good):
    good.remove("docs/DESIGN.md")
    [finding] = findings(good)
    assert "missing" in finding

"""The demo ends well with the real program, and only with one that does what is claimed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("CRC_ACTION", str(ROOT / "build/asan/action/crc-action"))


def demo(*arguments, program=PROGRAM):
    return subprocess.run(
        [sys.executable, ROOT / "tests/tools/demo.py", *arguments], text=True, timeout=120,
        stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "CRC_ACTION": program})


def test_every_claim_holds():
    done = demo("--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n   8  say what is live now" in done.stdout
    assert "\033" not in done.stdout


def liar(tmp_path, script):
    """The real program, but for what the script does before."""
    file = tmp_path / "crc-action"
    file.write_text(f'#!/bin/sh\n{script}\nexec "{PROGRAM}" "$@"\n')
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(("script", "complaint"), [
    # Says that all went well, and did nothing.
    ("exit 0", "there is not one stack"),
    # Deploys where it should only plan.
    ('[ "$1" = --dry-run ] && { shift; exec "%s" "$@"; }' % PROGRAM, "the dry run wrote"),
    # Asks once more than it need.
    ('"%s" status >/dev/null' % PROGRAM, "10 requests, not eight"),
    # Fails.
    ("exit 4", "crc-action ended with 4"),
])
def test_a_program_that_does_otherwise_is_found_out(tmp_path, script, complaint):
    done = demo("--once", program=liar(tmp_path, script))
    assert done.returncode == 1
    assert complaint in done.stderr


def test_kept_and_looked_at(tmp_path):
    """Without --once it stays until it is told to end, and with --keep all is left there."""
    kept = tmp_path / "kept here"
    primary, secondary = os.openpty()
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests/tools/demo.py", "--keep", kept], text=True,
        stdin=secondary, stdout=subprocess.PIPE, env={**os.environ, "CRC_ACTION": PROGRAM})
    try:
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        # An edit of one's own, with what the demo wrote down for that.
        script = f"""set -e; . "{kept}/environment"; cd "{kept}/resume"
echo '<!-- mine -->' >>website/index.html; git commit -qam mine; crc-action --json"""
        mine = subprocess.run(["bash", "-c", script], text=True, capture_output=True)
        assert mine.returncode == 0, mine.stderr
        assert '"verdict":"done"' in mine.stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()
        os.close(primary)
        os.close(secondary)
    assert (kept / "resume" / ".git").is_dir()

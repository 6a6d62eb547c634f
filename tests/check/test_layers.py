"""layers.py passes a good tree and names what is wrong with a bad one."""

import subprocess
import sys

import layers
import pytest


def test_good_tree_is_clean(good):
    assert list(layers.check(good.root)) == []


INCLUDES = {
    "base takes codec": ("src/base/buf.c", '"codec/url.h"', "base may not include"),
    "codec takes core": ("src/codec/url.c", '"core/plan.h"', "codec may not include"),
    "core takes io": ("src/core/plan.c", '"io/git.h"', "core may not include"),
    "io takes aws": ("src/io/fs.c", '"aws/s3.h"', "io may not include"),
    "aws takes core": ("src/aws/s3.c", '"core/plan.h"', "aws may not include"),
    "aws takes run": ("src/aws/s3.c", '"run/deploy.h"', "aws may not include"),
    "run takes action": ("src/run/deploy.c", '"action/main.h"', "run may not include"),
    "action takes daemon": ("action/main.c", '"daemon/queue.h"', "action may not include"),
    "daemon takes aws": ("daemon/queue.c", '"aws/s3.h"', "daemon may not include"),
    "daemon takes run": ("daemon/queue.c", '"run/deploy.h"', "daemon may not include"),
    "daemon takes the plan": ("daemon/queue.c", '"core/plan.h"', "daemon may not include"),
    "no layer named": ("src/base/buf.c", '"buf.h"', "named from the layer"),
    "climbs out": ("src/base/buf.c", '"../core/plan.h"', "named from the layer"),
    "git2 elsewhere": ("src/run/deploy.c", "<git2.h>", "belongs to src/io/git*.c"),
    "git2 part": ("src/io/fs.c", "<git2/oid.h>", "belongs to src/io/git*.c"),
    "curl elsewhere": ("src/io/http.c", "<curl/curl.h>", "belongs to src/io/http_curl.c"),
    "openssl elsewhere": ("src/codec/sigv4.c", "<openssl/evp.h>", "belongs to"),
    "yaml elsewhere": ("src/core/config.c", "<yaml.h>", "belongs to src/codec/yaml.c"),
    "expat elsewhere": ("src/aws/s3.c", "<expat.h>", "belongs to src/codec/xml.c"),
    "zip elsewhere": ("src/run/deploy.c", "<zip.h>", "belongs to src/codec/zip.c"),
    "zlib elsewhere": ("src/codec/zip.c", "<zlib.h>", "belongs to src/codec/gzip.c"),
    "jansson elsewhere": ("src/core/state.c", "<jansson.h>", "belongs to src/codec/json.c"),
    "civetweb elsewhere": ("daemon/queue.c", "<civetweb.h>", "belongs to daemon/server.c"),
    "spaces": ("src/run/deploy.c", " <zip.h>", "belongs to"),
}


@pytest.mark.parametrize("path, name, message", INCLUDES.values(), ids=INCLUDES.keys())
def test_include(good, path, name, message):
    if not (good.root / path).exists():
        good.write(path, "")
    good.append(path, f"# include {name}\n")
    assert any(message in finding for finding in layers.check(good.root))


def test_library_in_its_wrapper_is_fine(good):
    good.write("src/codec/json.c", "#include <jansson.h>\n")
    good.write("src/codec/hash.c", "#include <openssl/evp.h>\n")
    good.write("src/io/http_curl.c", "#include <curl/curl.h>\n")
    assert list(layers.check(good.root)) == []


CALLS = {
    "getenv": ("src/codec/url.c", "getenv"),
    "time": ("src/core/plan.c", "time"),
    "clock_gettime": ("src/base/log.c", "clock_gettime"),
    "rand": ("src/core/state.c", "rand"),
    "strcpy": ("action/main.c", "strcpy"),
    "strcat": ("src/io/fs.c", "strcat"),
    "sprintf": ("src/aws/s3.c", "sprintf"),
    "vsprintf": ("src/base/buf.c", "vsprintf"),
    "gets": ("daemon/queue.c", "gets"),
    "strtok": ("src/run/deploy.c", "strtok"),
    "atoi": ("src/run/deploy.c", "atoi"),
    "system": ("src/io/process.c", "system"),
    "popen": ("src/io/process.c", "popen"),
    "alloca": ("src/io/process.c", "alloca"),
}


@pytest.mark.parametrize("path, name", CALLS.values(), ids=CALLS.keys())
def test_call(good, path, name):
    if not (good.root / path).exists():
        good.write(path, "")
    good.append(path, f"\nint bad(void)\n{{\n\treturn {name} (1);\n}}\n")
    assert any(f"{name}()" in finding for finding in layers.check(good.root))


def test_what_only_looks_like_a_call_is_fine(good):
    good.write("src/core/plan.c", '#include "core/plan.h"\n'
               "/* time() and strcpy(a, b) */\n"
               'const char *s = "getenv(\\"X\\") // system(1)";\n'
               "int f(struct clock *c)\n{\n\treturn c->time(c) + snprintf(0, 0, 0);\n}\n")
    assert list(layers.check(good.root)) == []


def test_clock_may_read_the_clock(good):
    good.write("src/base/clock.c", "long f(void)\n{\n\treturn time(0);\n}\n")
    assert list(layers.check(good.root)) == []


def test_commented_include_does_not_count(good):
    good.append("src/base/buf.c", '/*\n#include "run/deploy.h"\n*/\n')
    assert list(layers.check(good.root)) == []


def test_own_header_first(good):
    good.write("src/base/buf.c", '#include <stdio.h>\n#include "base/buf.h"\n')
    assert list(layers.check(good.root)) == [
        'src/base/buf.c:1: includes <stdio.h> first; its own header "base/buf.h" must be']


def test_header_of_the_family_first(good):
    good.write("src/io/git_diff.c", '#include <git2.h>\n#include "io/git.h"\n')
    assert any("io/git.h" in finding for finding in layers.check(good.root))


@pytest.mark.parametrize("text", ["int x;\n", "#ifndef A\n#define B\n#endif\n", ""])
def test_header_without_guard(good, text):
    good.write("src/core/event.h", text)
    assert any("include guard" in finding for finding in layers.check(good.root))


def test_unknown_layer(good):
    good.write("src/util/x.c", "")
    assert any("no layer" in finding for finding in layers.check(good.root))


def test_exit_status(good):
    def status():
        return subprocess.run([sys.executable, layers.__file__, str(good.root)],
                              capture_output=True).returncode
    assert status() == 0
    good.append("src/base/buf.c", "#include <zlib.h>\n")
    assert status() == 1

"""Function backends deploy from the layouts that people who took the challenge have.

Each layout is one that public repositories have: names of folders, and what lies beside each other. What is in the files is
ours. A layout is deployed as a user would deploy it; then nothing is deployed again, then each function is edited, then the site.
"""

import io
import itertools
import json
import shutil
import stat
import subprocess
import zipfile
from dataclasses import dataclass, field

import pytest

OLD = {"placeholder.py": "def handler(event, context):\n    return 'as Terraform made it'\n"}
SETTINGS = {"Timeout": 17, "MemorySize": 192, "Description": "Terraform's", "Environment": {"Variables": {"TABLE": "visits"}}}
# Whatever code does to them.
MOVING = {"CodeSha256", "CodeSize", "LastModified", "RevisionId", "ResponseMetadata"}
WRITES = {"UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias", "PutObject", "CopyObject",
          "DeleteObject", "DeleteObjects", "CreateInvalidation"}
SECRET = "must not leave the repository"
_numbers = itertools.count(1)


def python(word, name="lambda_handler"):
    return f"def {name}(event, context):\n    return {word!r}\n"


def node(word):
    return f"export const handler = async () => {word!r};\n"


def packed(files):
    """A zip as Terraform's archive_file leaves it beside the code: dated 2049."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (2049, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, text)
    return made.getvalue()


def wheel(name, text):
    """A wheel of one module."""
    about = f"{name}-1.0.dist-info"
    return packed({f"{name}.py": text, f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
                   f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n", f"{about}/RECORD": ""})


TERRAFORM = {"main.tf": 'resource "aws_lambda_function" "f" {}\n', "variables.tf": "\n", ".terraform.lock.hcl": "\n"}
LEFTOVERS = {"terraform.tfstate": SECRET, "terraform.tfstate.backup": SECRET, "terraform.tfvars": f'password = "{SECRET}"\n',
             "prod.auto.tfvars": SECRET, "tfplan": SECRET, ".terraform/terraform.tfstate": SECRET, ".terraform/modules/modules.json": SECRET}
SITE = {"index.html": "<h1>me</h1>\n", "style.css": "h1 { color: teal }\n"}


def below(folder, files):
    return {f"{folder}/{path}": content for path, content in files.items()}


@dataclass
class Function:
    """A function of a layout."""

    path: str                 # as a user writes it
    handler: str
    source: str               # the file that holds the handler
    archive: list             # what the archive holds
    text: object = python     # what makes that file, with a word
    runtime: str = "python3.12"
    shares: tuple = ()        # others that an edit to `source` deploys too
    build: str = None


@dataclass
class Layout:
    files: dict
    functions: dict
    site: str = None
    uploads: list = None      # what the site's bucket holds
    extra: str = ""           # more of the site's settings
    edit: str = None          # a file of the site
    links: dict = field(default_factory=dict)
    ignored: dict = field(default_factory=dict)   # on the disk only
    executable: tuple = ()
    flags: bool = False       # without crc.yml
    env: dict = field(default_factory=dict)


LAYOUTS = {
    "one file by itself, in backend/lambda, with Terraform's module around it": Layout(
        {**below("frontend", SITE), **below("backend/lambda", {"lambda.py": python("1"), **TERRAFORM, **LEFTOVERS}),
         "backend/main.tf": "\n", "backend/dynamodb/main.tf": "\n", "docker-tools/Dockerfile": "\n"},
        {"counter": Function("backend/lambda", "lambda.lambda_handler", "backend/lambda/lambda.py", ["lambda.py"])},
        "frontend", list(SITE)),

    "backend/lambda_code/NAME, with requirements that ask for nothing": Layout(
        {**below("frontend", {**SITE, "resume.html.tpl": "{}"}),
         **below("backend/lambda_code/visitor_counter", {"index.py": python("1", "handler"), "requirements.txt": "# boto3 is there\n"}),
         "infrastructure/environments/prod/main.tf": "\n", "tests/package.json": "{}"},
        {"counter": Function("./backend/lambda_code/visitor_counter/", "index.handler", "backend/lambda_code/visitor_counter/index.py",
                             ["index.py", "requirements.txt"], lambda w: python(w, "handler"))},
        "./frontend/", ["index.html", "style.css", "resume.html.tpl"]),

    "terraform/lambda: two functions of one folder, each a file; dashes in names": Layout(
        {**below("website", SITE), **below("terraform", {**TERRAFORM, **LEFTOVERS}),
         **below("terraform/lambda", {"visit-counter.py": python("1"), "playground.py": python("1"), "lambda.zip": packed({"x": SECRET})})},
        {"visits": Function("terraform/lambda/visit-counter.py", "visit-counter.lambda_handler", "terraform/lambda/visit-counter.py",
                            ["visit-counter.py"]),
         "play": Function("./terraform/lambda/playground.py", "playground.lambda_handler", "terraform/lambda/playground.py", ["playground.py"])},
        "website", list(SITE)),

    "src at the top, two functions that share the folder and a helper; *.tf and the site beside it": Layout(
        {**SITE, **TERRAFORM, **LEFTOVERS, "lambda.tf": "\n", "README.md": "# me\n", "tf_deploy.ps1": "", "tests/test_counter.py": "def test(): pass\n",
         **below("src", {"put.py": "import shared\n" + python("1"), "get.py": python("1"), "shared.py": "\n"})},
        {"put": Function("src", "put.lambda_handler", "src/put.py", ["get.py", "put.py", "shared.py"],
                         lambda w: "import shared\n" + python(w), shares=("get",)),
         "get": Function("src", "get.lambda_handler", "src/get.py", ["get.py", "put.py", "shared.py"], shares=("put",))},
        ".", list(SITE), "exclude: [tests/, '*.md', '*.ps1']"),

    "terraform/modules/lambda/src, with the zip of archive_file and tests inside": Layout(
        {**below("frontend/public", SITE), "frontend/package.json": "{}",
         **below("terraform/modules/lambda", {**TERRAFORM, "src/views_counter.py": python("1"), "src/test/test_views_counter.py": "def test(): pass\n",
                                              "src/__pycache__/views_counter.cpython-312.pyc": b"\0", "src/.pytest_cache/README.md": "x"})},
        {"views": Function("terraform/modules/lambda/src", "views_counter.lambda_handler", "terraform/modules/lambda/src/views_counter.py",
                           ["test/test_views_counter.py", "views_counter.py"])},
        "frontend/public", list(SITE)),

    "the module's own folder: code, *.tf, state and the zip together": Layout(
        {**below("site", SITE), **below("modules/lambda", {**TERRAFORM, **LEFTOVERS, "func.py": python("1", "handler"), ".env": SECRET,
                                                           ".env.local": SECRET, "signing.key": SECRET, ".gitignore": "*.zip\n"})},
        {"func": Function("modules/lambda", "func.handler", "modules/lambda/func.py", ["func.py"], lambda w: python(w, "handler"))},
        "site", list(SITE), ignored={"modules/lambda/func.zip": packed({"func.py": "old"})}),

    "src/backend/lambda beside its tests, the site beside the backend": Layout(
        {**below("src/frontend", {**SITE, "tests/cypress/spec.cy.js": "\n"}), "src/backend/lambda/app.py": python("1"),
         "src/backend/lambda/requirements.txt": "\n", "src/backend/tests/app_test.py": "\n", "template.yaml": "Resources: {}\n", "samconfig.toml": ""},
        {"app": Function("src/backend/lambda", "app.lambda_handler", "src/backend/lambda/app.py", ["app.py", "requirements.txt"])},
        "src/frontend", list(SITE), "exclude: [tests/]"),

    "the function's file at the repository's top": Layout(
        {"lambda_function.py": python("1"), "README.md": "x", **TERRAFORM, **LEFTOVERS, **below("website/html", SITE)},
        {"f": Function("lambda_function.py", "lambda_function.lambda_handler", "lambda_function.py", ["lambda_function.py"])},
        "website/html", list(SITE)),

    "a repository of the backend alone, by flags": Layout(
        {"lambda_function.py": python("1"), "README.md": "x", ".github/workflows/x.yml": SECRET, "tests/test_it.py": "", **TERRAFORM, **LEFTOVERS},
        {"f": Function(".", "lambda_function.lambda_handler", "lambda_function.py", ["README.md", "lambda_function.py", "tests/test_it.py"])},
        flags=True),

    "one file by flags": Layout(
        {"backend/lambda/visitor-counter/lambda_function.py": python("1"), "backend/lambda/visitor-counter/README.md": "x",
         **below("frontend/hugo/public", SITE)},
        {"f": Function("./backend/lambda/visitor-counter/lambda_function.py", "lambda_function.lambda_handler",
                       "backend/lambda/visitor-counter/lambda_function.py", ["lambda_function.py"])}, flags=True),

    "one file and the site by flags": Layout(
        {**SITE, **TERRAFORM, "lambda/counter.py": python("1")},
        {"f": Function("lambda/counter.py", "counter.lambda_handler", "lambda/counter.py", ["counter.py"])}, ".", list(SITE), flags=True),

    "the site's folder holds the function and its zip": Layout(
        {**TERRAFORM, **below("files", {**SITE, "counter.py": python("1"), "counter.zip": packed({"counter.py": python("0")})})},
        {"counter": Function("files/counter.py", "counter.lambda_handler", "files/counter.py", ["counter.py"])},
        "files", list(SITE), "exclude: ['*.zip']"),

    "the function's own static folder is the site": Layout(
        {"app/main.py": python("1"), **below("app/static", SITE)},
        {"app": Function("app/main.py", "main.lambda_handler", "app/main.py", ["main.py"])}, "app/static", list(SITE)),

    "several versions of a function, its zip and its tests in one folder": Layout(
        {**below("frontEnd", SITE), **below("backEnd", {"lambda.py": python("0"), "lambda_handler.py": python("1"), "lambda_function.py": python("0"),
                                                        "lambda_function.zip": packed({"lambda_function.py": python("0")}), "test/test_lambda.py": ""})},
        {"f": Function("backEnd/lambda_handler.py", "lambda_handler.lambda_handler", "backEnd/lambda_handler.py", ["lambda_handler.py"])},
        "frontEnd", list(SITE)),

    "a handler whose folder is part of its name": Layout(
        {"backend/src/app.py": "from src.util import word\n\n\ndef handler(event, context):\n    return word('1')\n",
         "backend/src/util.py": "def word(w):\n    return w\n", "backend/src/__init__.py": "", "backend/README.md": "x", **below("ui/public", SITE)},
        {"app": Function("backend", "src.app.handler", "backend/src/app.py", ["README.md", "src/__init__.py", "src/app.py", "src/util.py"],
                         lambda w: f"from src.util import word\n\n\ndef handler(event, context):\n    return word({w!r})\n")},
        "ui/public", list(SITE)),

    "Python whose packages and virtual environment are committed": Layout(
        {**below("prod/site", SITE), **below("aws/src", {
            "app.py": "import idna\n" + python("1"), "idna/__init__.py": "\n", "idna-3.dist-info/METADATA": "x", "idna/core.cpython-312.so": b"\x7fELF",
            "certifi/cacert.pem": "certificates", "venv/lib/python3.12/site.py": SECRET, ".venv/pyvenv.cfg": SECRET})},
        {"app": Function("aws/src", "app.lambda_handler", "aws/src/app.py",
                         ["app.py", "certifi/cacert.pem", "idna-3.dist-info/METADATA", "idna/__init__.py", "idna/core.cpython-312.so"],
                         lambda w: "import idna\n" + python(w))},
        "prod/site", list(SITE)),

    "Node with committed node_modules, tests beside it, and the site's build committed": Layout(
        {**below("frontend/build", {**SITE, "static/js/main.8153ec20.js": "0"}), "frontend/src/App.js": "\n", "frontend/node_modules/react/index.js": "x",
         **below("infra/chatbot", {"terraform/main.tf": "\n", "terraform/handler.zip": packed({"x": "x"}), "lambda/index.mjs": node("1"),
                                   "lambda/index-test.mjs": "\n", "lambda/package.json": "{}", "lambda/.env": SECRET,
                                   "lambda/node_modules/ms/index.js": "x", "lambda/node_modules/.bin/ms": "x"})},
        {"chat": Function("infra/chatbot/lambda", "index.handler", "infra/chatbot/lambda/index.mjs",
                          ["index-test.mjs", "index.mjs", "node_modules/.bin/ms", "node_modules/ms/index.js", "package.json"], node, "nodejs22.x")},
        "frontend/build", [*SITE, "static/js/main.8153ec20.js"]),

    "a helper that functions share by links": Layout(
        {**below("website", SITE), "lambda/common/log.py": "\n", "lambda/visits/app.py": "import log\n" + python("1"), "lambda/mail/app.py": python("1")},
        {"visits": Function("lambda/visits", "app.lambda_handler", "lambda/visits/app.py", ["app.py", "log.py"], lambda w: "import log\n" + python(w)),
         "mail": Function("lambda/mail", "app.lambda_handler", "lambda/mail/app.py", ["app.py"])},
        "website", list(SITE), links={"lambda/visits/log.py": "../common/log.py"}),

    "a committed zip is the function": Layout(
        {**below("website", SITE), "scripts/lambda_function.py": "not what is deployed\n", "build/lambda_counter.zip": packed({"lambda_function.py": python("1")})},
        {"counter": Function("build/lambda_counter.zip", "lambda_function.lambda_handler", "build/lambda_counter.zip", ["lambda_function.py"],
                             lambda w: packed({"lambda_function.py": python(w)}))},
        "website", list(SITE)),

    "a program that a command builds": Layout(
        {**below("frontend", SITE), "backend/views/get/main.go": "1", "backend/views/get/go.mod": "\n", ".gitignore": "out/\n"},
        {"get": Function("out", "bootstrap", "backend/views/get/main.go", ["bootstrap"], lambda w: w, "provided.al2023",
                         build="mkdir -p out && cp backend/views/get/main.go out/bootstrap && chmod 755 out/bootstrap")},
        "frontend", list(SITE), executable=("bootstrap",)),

    "a command that puts the shared folder beside the function": Layout(
        {**SITE, "lambda/func.py": "import shared\n" + python("1"), "shared/__init__.py": "", "key.pem": SECRET, ".gitignore": ".build/\n"},
        {"func": Function(".build/func", "lambda.func.lambda_handler", "lambda/func.py", ["lambda/func.py", "shared/__init__.py"],
                          lambda w: "import shared\n" + python(w),
                          build="rm -rf .build/func && mkdir -p .build/func && cp -r lambda shared .build/func/")},
        ".", list(SITE), "exclude: [lambda/, shared/]"),

    "requirements that pip installs": Layout(
        {**below("website", SITE), "lambda/app.py": "import tiny\n\n\ndef lambda_handler(event, context):\n    return tiny.word + '1'\n",
         "lambda/requirements.txt": "tiny==1.0\n", "lambda/main.tf": "\n", "wheels/tiny-1.0-py3-none-any.whl": wheel("tiny", "word = ''\n")},
        {"app": Function("lambda", "app.lambda_handler", "lambda/app.py", ["app.py", "requirements.txt", "tiny.py", *(f"tiny-1.0.dist-info/{n}" for n in ("INSTALLER", "METADATA", "RECORD", "REQUESTED", "WHEEL"))],
                         lambda w: f"import tiny\n\n\ndef lambda_handler(event, context):\n    return tiny.word + {w!r}\n")},
        "website", list(SITE), env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "{repo}/wheels"}),
}


class Scene:
    """A layout in a repository of its own, with functions and a site that somebody else has made."""

    def __init__(self, world, layout):
        self.world, self.cloud, self.layout = world, world.cloud, layout
        prefix = f"layout{next(_numbers)}-"
        self.names = {name: prefix + name for name in layout.functions}
        for name, f in layout.functions.items():
            self.cloud.make_function(self.names[name], OLD, handler=f.handler, runtime=f.runtime, **SETTINGS)
        self.env = world.env(**{k: v.format(repo=world.repo.path) for k, v in layout.env.items()})
        self._write()

    def _write(self):
        repo, layout = self.world.repo, self.layout
        repo.write({**layout.files, **layout.ignored})
        for path, target in layout.links.items():
            (repo.path / path).symlink_to(target)
        if not layout.flags:
            repo.write({"crc.yml": self._config()})
        repo.commit()

    def _config(self):
        rows = []
        if self.layout.site:
            rows += ["sites:", "  me:", f"    path: {self.layout.site}", f"    bucket: {self.world.bucket}",
                     f"    distribution: {self.world.distribution}", *([f"    {self.layout.extra}"] if self.layout.extra else [])]
        rows.append("backends:")
        for name, f in self.layout.functions.items():
            rows += [f"  {name}:", f"    path: {f.path}", f"    function: {self.names[name]}"]
            rows += [f"    build: {json.dumps(f.build)}"] if f.build else []
        return "\n".join(rows) + "\n"

    def deploy(self, *options, status=0):
        flags = []
        if self.layout.flags:
            (name, f), = self.layout.functions.items()
            flags = ["--backend-path", f.path, "--function-name", self.names[name]]
            if self.layout.site:
                flags += ["--site-path", self.layout.site, "--bucket", self.world.bucket, "--distribution-id", self.world.distribution]
        run = self.world.run_bare("--json", *flags, *options, env=self.env)
        assert run.status == status, run
        return run

    def updated(self, run):
        """The functions that were sent code."""
        sent = [r["path"] for r in run.requests if r["operation"] == "UpdateFunctionCode"]
        return sorted(name for name in self.names if any(f"/{self.names[name]}/code" in path for path in sent))

    def configurations(self):
        return {name: {k: v for k, v in self.cloud.functions.get_function_configuration(FunctionName=at).items() if k not in MOVING}
                for name, at in self.names.items()}

    def says(self, name):
        """What the function answers; of those that do not run here, the word in its code."""
        f, at = self.layout.functions[name], self.names[name]
        if f.runtime.startswith("python"):
            answer, error = self.cloud.invoke(at)
            assert error is None, answer
            return answer
        files = self.cloud.function_code(at)
        if f.runtime.startswith("nodejs"):
            return self._run_node(files)
        return files[f.handler][0].decode()

    def _run_node(self, files):
        folder = self.world.folder / f"node{next(_numbers)}"
        for path, (content, _) in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        if not shutil.which("node"):
            return files["index.mjs"][0].decode().split("'")[1]
        code = "import('./index.mjs').then(m => m.handler()).then(a => console.log(a))"
        return subprocess.run(["node", "-e", code], cwd=folder, text=True, check=True, stdout=subprocess.PIPE).stdout.strip()

    def edit(self, name, word):
        f = self.layout.functions[name]
        self.world.repo.commit({f.source: f.text(word)})

    def check_archives(self):
        for name, f in self.layout.functions.items():
            files = self.cloud.function_code(self.names[name])
            assert sorted(files) == sorted(f.archive), name
            assert not any(SECRET.encode() in content for content, _ in files.values()), name
            assert sorted(p for p, (_, x) in files.items() if x) == sorted(self.layout.executable), name

    def check_site(self):
        if self.layout.site:
            assert sorted(self.world.keys()) == sorted(self.layout.uploads)
            self.world.check_edge()


@pytest.fixture(autouse=True)
def updates_are_through_at_once(cloud):
    """What becomes of a busy function is another test's matter, and waiting takes time."""
    cloud.change_function(polls=0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(world, name):
    layout = LAYOUTS[name]
    scene = Scene(world, layout)
    before = scene.configurations()

    run = scene.deploy()
    assert scene.updated(run) == sorted(layout.functions)
    assert {n: scene.says(n) for n in layout.functions} == dict.fromkeys(layout.functions, "1")
    scene.check_archives()
    scene.check_site()

    run = scene.deploy()
    assert not WRITES & {r["operation"] for r in run.requests}, run

    for n, f in layout.functions.items():
        scene.edit(n, "2")
        assert scene.updated(scene.deploy()) == sorted({n, *f.shares})
        assert scene.says(n) == "2"
    scene.check_archives()

    if layout.site:
        page = f"{layout.site}/index.html"
        world.warm()
        world.repo.commit({page: "<h1>you</h1>\n"})
        run = scene.deploy()
        assert scene.updated(run) == []
        assert [r["path"].rsplit("/", 1)[1] for r in run.requests if r["operation"] == "PutObject" and ".crc" not in r["path"]] == ["index.html"]
        scene.check_site()
    assert scene.configurations() == before


# What people trip over


@dataclass
class Lone:
    """A repository with one function, deployed by flags."""

    world: object
    name: str

    def run(self, path, *options, status=0):
        run = self.world.run_bare("--json", "--backend-path", path, "--function-name", self.name, *options)
        assert run.status == status, run
        return run

    def refused(self, path, *options):
        """The message; the function runs on as it was."""
        error = self.run(path, *options, status=2).lines[-1]["error"]
        assert self.world.cloud.requests(operation="UpdateFunctionCode") == []
        return error.removeprefix("backend backend: ")


@pytest.fixture
def lone(bare_world):
    def make(files, handler, runtime="python3.12", **settings):
        made = Lone(bare_world, f"lone{next(_numbers)}")
        bare_world.cloud.make_function(made.name, OLD, handler=handler, runtime=runtime, **settings)
        bare_world.repo.commit(files)
        bare_world.cloud.reset_log()
        return made
    return make


ONE = {"lambda/func.py": python("1", "handler"), "lambda/util/__init__.py": ""}
MISPLACED = {
    "the folder is too low for lambda.func.handler": (
        ONE, "lambda.func.handler", "lambda", "lambda/func.py", ": with `path: .` there would be"),
    "the file alone is too low": (
        below("backend", ONE), "lambda.func.handler", "backend/lambda/func.py", "lambda/func.py", ": with `path: backend` there would be"),
    "the folder is too high": (
        below("backend", ONE), "func.handler", "backend", "func.py", ": with `path: backend/lambda` there would be"),
    "the repository is too high": (
        below("backend", ONE), "func.handler", ".", "func.py", ": with `path: backend/lambda` there would be"),
    "the file has another name": (
        ONE, "lambda_function.lambda_handler", "lambda", "lambda_function.py",
        ", but func.py, util/__init__.py: mend `path`, or the handler with the tool that owns the function"),
    "the zip is another function's": (
        {"old.zip": packed(dict.fromkeys("abcdef", ""))}, "func.handler", "old.zip", "func.py",
        ", but a, b, c, d, e, ...: mend `path`, or the handler with the tool that owns the function"),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_a_handler_that_would_not_be_found(lone, case):
    files, handler, path, wanted, advice = MISPLACED[case]
    made = lone(files, handler)
    said = f"function {made.name} runs {handler}, and there is no {wanted} in what would be deployed{advice}"
    assert made.refused(path) == said
    assert made.refused(path, "--dry-run") == said
    if "with `path: " in advice:    # and so it is
        made.run(advice.split("`")[1].removeprefix("path: "))
        assert made.world.cloud.invoke(made.name) == ("1", None)


def test_a_handler_elsewhere_is_not_looked_for(lone):
    """A layer brings it: then the archive need not."""
    cloud = lone({"app/func.py": python("1", "handler")}, "func.handler").world.cloud
    layer = cloud.functions.publish_layer_version(LayerName="wraps", Content={"ZipFile": packed({"python/wrap.py": "from func import handler\n"})})
    made = lone({}, "wrap.handler", Layers=[layer["LayerVersionArn"]])
    made.run("app")
    assert cloud.invoke(made.name) == ("1", None)


def test_what_is_live_already_is_let_be(lone):
    """Terraform has renamed the handler first: until the code follows, nothing else is held up."""
    made = lone({"app/func.py": python("1", "handler")}, "func.handler")
    made.run("app")
    made.world.cloud.functions.update_function_configuration(FunctionName=made.name, Handler="main.handler")
    made.world.cloud.reset_log()
    assert made.run("app").lines[-1]["changed"] is False
    made.world.repo.commit({"app/func.py": python("2", "handler")})
    assert "there is no main.py" in made.refused("app")
    made.world.repo.commit({"app/main.py": python("2", "handler")})
    made.run("app")
    assert made.world.cloud.invoke(made.name) == ("2", None)


def test_a_program_that_cannot_be_started(lone):
    made = lone({"out/bootstrap": "#!/bin/sh\n"}, "x", "provided.al2023")
    assert made.refused("out") == "bootstrap is not executable, and Lambda starts it: chmod +x, or git update-index --chmod=+x"
    made.world.repo.git("update-index", "--chmod=+x", "out/bootstrap")
    made.world.repo.git("commit", "-qm", "may be executed")
    made.run("out")
    assert made.world.cloud.function_code(made.name)["bootstrap"][1]


@pytest.mark.parametrize("path", ["lambda", "lambda/", "./lambda", "./lambda//", "lambda/func.py", "./lambda/func.py"])
def test_one_path_in_many_spellings(lone, path):
    made = lone({"lambda/func.py": python("1", "handler"), "README.md": "x"}, "func.handler")
    made.run(path)
    assert list(made.world.cloud.function_code(made.name)) == ["func.py"]
    assert made.run("lambda").lines[-1]["changed"] is False


@pytest.mark.parametrize("path,said", [
    ("lamda", "there is no lamda in the commit or on the disk"), ("../lambda", "leads out of the repository"),
    ("/lambda", "must be relative to the repository's root"), ("empty", "empty: there is nothing in it to pack"),
    ("broken.zip", "broken.zip is no archive")])
def test_a_path_that_will_not_do(lone, path, said):
    made = lone({"lambda/func.py": python("1"), "empty/main.tf": "", "broken.zip": packed({"func.py": python("1")})[:-9]}, "func.lambda_handler")
    assert said in made.refused(path)


def test_the_work_tree_counts_for_nothing(lone):
    """What Terraform and tests leave on the disk is not in the commit, and so not in the archive."""
    made = lone({"lambda/func.py": python("1"), ".gitignore": "*.zip\n"}, "func.lambda_handler")
    made.world.repo.write({"lambda/func.py": python("edited"), "lambda/new.py": "", "lambda/lambda.zip": b"PK"})
    made.run("lambda")
    assert made.world.cloud.invoke(made.name) == ("1", None)
    assert list(made.world.cloud.function_code(made.name)) == ["func.py"]


def test_terraform_puts_its_own_code_back(lone):
    """Without ignore_changes an apply deploys its archive; the next deploy puts that right."""
    made = lone({"lambda/func.py": python("1")}, "func.lambda_handler")
    made.run("lambda")
    made.world.cloud.change_function(made.name, replace={"func.py": python("Terraform's")})
    made.run("lambda")
    assert made.world.cloud.invoke(made.name) == ("1", None)

"""A GitHub runner, as far as a composite action can tell: for tests of action.yml.

Strict where the real one is, and about what it lets pass with a warning. It follows the
source of actions/runner: a composite step gets no INPUT_ variables, its environment is the
job's and its own and nothing of this machine's, its script runs under the shell it names
with the runner's flags, and outputs are read from the file that GITHUB_OUTPUT names.
"""

import contextlib
import json
import re
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import yaml

# What the runner starts for `shell:` (ScriptHandlerHelpers.cs).
SHELLS = {
    "sh": ["sh", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
}
COMMANDS = {"group", "endgroup", "error", "warning", "notice", "debug", "add-mask"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.S)
CONTEXT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)+")


class Invalid(Exception):
    """A file that GitHub would refuse, or should."""


def check(condition, message):
    if not condition:
        raise Invalid(message)


# YAML as GitHub reads it: version 1.2, so that "on" and "yes" are words, and no key twice.


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [k.value for k, _ in node.value]
        check(len(keys) == len(set(keys)), f"a key twice, at line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
]:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def load_yaml(text):
    return yaml.load(text, _Loader)


# Schemas: what may stand where (action_yaml.json and workflow-v1.0.json of the runner).


def check_keys(what, mapping, required, optional=()):
    check(isinstance(mapping, dict), f"{what}: not a mapping")
    unknown = set(mapping) - set(required) - set(optional)
    check(not unknown, f"{what}: unknown {sorted(unknown)}")
    lacking = set(required) - set(mapping)
    check(not lacking, f"{what}: lacks {sorted(lacking)}")


def check_contexts(what, text, allowed):
    """Every expression is one value out of an allowed context."""
    for expression in EXPRESSION.findall(str(text)):
        check(CONTEXT.fullmatch(expression), f"{what}: expression {expression!r}")
        check(expression.split(".")[0] in allowed, f"{what}: no context {expression!r} here")


ICONS = {"upload-cloud", "upload", "cloud", "globe", "send", "zap"}
COLORS = {"white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"}
IN_COMPOSITE = {"github", "inputs", "steps", "runner", "env", "job", "strategy", "matrix"}


def check_action(action):
    """A composite action's action.yml."""
    check_keys("action", action, ["name", "description", "runs", "inputs", "outputs"],
               ["author", "branding"])
    check_keys("branding", action["branding"], ["icon", "color"])
    check(action["branding"]["icon"] in ICONS, "branding: icon")
    check(action["branding"]["color"] in COLORS, "branding: color")
    check(len(action["description"]) <= 125, "description: the Marketplace cuts it at 125")
    for name, entry in action["inputs"].items():
        check(NAME.fullmatch(name), f"input {name}: name")
        check_keys(f"input {name}", entry, ["description", "default"], ["required"])
        check(isinstance(entry["default"], str), f"input {name}: default is not quoted")
        check_contexts(f"input {name}", entry["default"], {"github", "runner"})
    for name, entry in action["outputs"].items():
        check(NAME.fullmatch(name), f"output {name}: name")
        check_keys(f"output {name}", entry, ["description", "value"])
        check_contexts(f"output {name}", entry["value"], IN_COMPOSITE)
    check_keys("runs", action["runs"], ["using", "steps"])
    check(action["runs"]["using"] == "composite", "runs: using")
    for step in action["runs"]["steps"]:
        check_keys("step", step, ["run", "shell"],
                   ["id", "name", "if", "env", "continue-on-error", "working-directory"])
        check(step["shell"] in SHELLS, f"shell {step['shell']}")
        # An expression in a script is code: whoever sets the value runs it.
        check(not EXPRESSION.search(step["run"]), "an expression inside of a script")
        for name, value in step.get("env", {}).items():
            check(re.fullmatch(r"[A-Z][A-Z0-9_]*", name), f"env {name}: no shell could name it")
            check_contexts(f"env {name}", value, IN_COMPOSITE)


SCOPES = {"actions", "attestations", "checks", "contents", "deployments", "id-token", "issues",
          "packages", "pages", "pull-requests", "security-events", "statuses"}
IN_WORKFLOW = {"github", "inputs", "steps", "runner", "env", "job", "strategy", "matrix",
               "secrets", "vars", "needs"}


def check_permissions(permissions):
    check(isinstance(permissions, dict), "permissions: not a mapping")
    for scope, access in permissions.items():
        check(scope in SCOPES, f"permissions: {scope}")
        check(access in {"read", "write", "none"}, f"permissions: {scope}: {access}")


def check_step(step, local_inputs):
    """local_inputs: what `uses: ./` and OWNER/crc-action take."""
    check_keys("step", step, [], ["id", "name", "if", "uses", "run", "with", "env", "shell",
                                  "working-directory", "continue-on-error", "timeout-minutes"])
    check(("uses" in step) != ("run" in step), "step: either uses or run")
    if "run" in step:
        check("with" not in step, "step: `with` goes with `uses`")
        return
    uses = step["uses"]
    if uses != "./":
        check(re.fullmatch(r"[\w.-]+/[\w.-]+(/[\w.-]+)*@\S+", uses), f"uses: {uses}")
    if uses == "./" or uses.split("@")[0].endswith("/crc-action"):
        unknown = set(step.get("with", {})) - set(local_inputs)
        check(not unknown, f"uses {uses}: no inputs {sorted(unknown)}")


def check_workflow(workflow, local_inputs):
    check_keys("workflow", workflow, ["on", "jobs"],
               ["name", "permissions", "concurrency", "env", "defaults", "run-name"])
    check_permissions(workflow.get("permissions", {}))
    if isinstance(workflow.get("concurrency"), dict):
        check_keys("concurrency", workflow["concurrency"], ["group"], ["cancel-in-progress"])
    for name, job in workflow["jobs"].items():
        check(NAME.fullmatch(name), f"job {name}: name")
        check_keys(f"job {name}", job, ["runs-on", "steps"],
                   ["name", "needs", "if", "permissions", "environment", "concurrency", "env",
                    "strategy", "container", "timeout-minutes", "outputs", "defaults",
                    "continue-on-error"])
        check_permissions(job.get("permissions", {}))
        for step in job["steps"]:
            check_step(step, local_inputs)
            check_contexts(f"job {name}", json.dumps(step), IN_WORKFLOW)
            check(not EXPRESSION.search(step.get("run", "")), "an expression inside of a script")


# Running


def expand(text, contexts):
    """Replaces each ${{ a.b }}; what a context does not have is empty, as on GitHub."""

    def value(match):
        at = contexts
        for part in match.group(1).split("."):
            check(isinstance(at, dict), f"{match.group(1)} leads nowhere")
            if at is contexts:
                check(part in at, f"there is no context {part}")
            at = at.get(part, "")
        check(isinstance(at, str), f"{match.group(1)} is no text")
        return at

    return EXPRESSION.sub(value, text)


def scalar(value):
    """A YAML value as the text that `with` and `env` make of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def read_outputs(text):
    """What GITHUB_OUTPUT's file says (FileCommandManager.cs); a name twice is refused too."""
    outputs, lines = {}, text.split("\n")
    check(lines.pop() == "", "the outputs' last line does not end")
    while lines:
        line = lines.pop(0)
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        check(max(equals, heredoc) > 0, f"outputs: {line!r} is neither NAME=VALUE nor NAME<<END")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = line.split("=", 1)
        else:
            name, end = line.split("<<", 1)
            check(end in lines and end, f"outputs: {name} does not end")
            at = lines.index(end)
            value, lines = "\n".join(lines[:at]), lines[at + 1:]
        check(name not in outputs, f"outputs: {name} twice")
        outputs[name] = value
    return outputs


def read_commands(text):
    """[(name, {property: value}, data)] of the workflow commands in a step's output."""
    commands = []
    for line in text.splitlines():
        check("##[" not in line, f"an old command: {line!r}")
        line = line.lstrip()
        if not line.startswith("::"):
            continue
        match = re.fullmatch(r"::([a-z-]+)(?: ([^:]*))?::(.*)", line)
        check(match and match.group(1) in COMMANDS, f"no command: {line!r}")
        properties = dict(p.split("=", 1) for p in (match.group(2) or "").split(",") if p)
        commands.append((match.group(1), properties, _unescape(match.group(3))))
    groups = [name for name, _, _ in commands if name in ("group", "endgroup")]
    check(groups == ["group", "endgroup"] * (len(groups) // 2), f"groups: {groups}")
    return commands


def _unescape(data):
    return data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


@dataclass
class Result:
    status: int
    stdout: str
    stderr: str
    written: dict  # what the step wrote
    outputs: dict  # what the action makes of it
    summary: str
    commands: list = field(default_factory=list)

    def said(self, level):
        return [data for name, _, data in self.commands if name == level]


class Step:
    """A running step; `wait` gives its Result."""

    def __init__(self, process, files, finish):
        self.process, self._files, self._finish = process, files, finish

    def cancel(self):
        """What the runner does first: SIGINT to the step's process, and to no other."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, timeout=120):
        stdout, stderr = self.process.communicate(timeout=timeout)
        # The runner reads commands from both.
        commands = read_commands(stdout) + read_commands(stderr)
        outputs, summary = (f.read_text() for f in self._files)
        return Result(self.process.returncode, stdout, stderr,
                      *self._finish(read_outputs(outputs)), summary, commands)


class Runner:
    """One job on one machine: a workspace, temporary folders, an event."""

    def __init__(self, home, workspace, event, *, event_name="push", env=None, path):
        self.home, self.workspace, self.path = Path(home), Path(workspace), path
        self.temp, self.tools = self.home / "_temp", self.home / "_tool"
        for folder in (self.temp, self.tools, self.home / "user"):
            folder.mkdir(parents=True, exist_ok=True)
        self.event = self.temp / "event.json"
        self.event.write_text(json.dumps(event))
        self.env = dict(env or {})
        self.github = {
            "token": "ghs_canaryOfTheRunner", "workspace": str(self.workspace),
            "event_name": event_name, "ref": event["ref"], "sha": event["after"],
        }

    def job_env(self):
        return {
            "PATH": self.path, "HOME": str(self.home / "user"), "CI": "true", "LANG": "C.UTF-8",
            "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_EVENT_PATH": str(self.event), "GITHUB_EVENT_NAME": self.github["event_name"],
            "GITHUB_SHA": self.github["sha"], "GITHUB_REF": self.github["ref"],
            "GITHUB_WORKFLOW": "deploy", "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/d.yml@main",
            "GITHUB_RUN_ID": "7000000001", "GITHUB_RUN_NUMBER": "1", "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_REPOSITORY": "o/r", "GITHUB_SERVER_URL": "https://github.com",
            "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_TEMP": str(self.temp),
            "RUNNER_TOOL_CACHE": str(self.tools), **self.env,
        }

    def start(self, action_folder, inputs=None, env=None):
        """Starts the one step of a composite action. inputs: the `with` of a workflow."""
        action = load_yaml((Path(action_folder) / "action.yml").read_text())
        check_action(action)
        given = {name.lower(): scalar(value) for name, value in (inputs or {}).items()}
        unknown = set(given) - set(action["inputs"])
        check(not unknown, f"unexpected inputs {sorted(unknown)}")
        contexts = {
            "github": self.github,
            "inputs": {n: given.get(n, i["default"]) for n, i in action["inputs"].items()},
            "steps": {},
        }
        [step] = action["runs"]["steps"]
        script, *files = (self.temp / f"{name}_{uuid.uuid4()}" for name in
                          ("run.sh", "set_output", "step_summary"))
        script.write_text(expand(step["run"], contexts))
        for file in files:
            file.touch()
        step_env = {n: expand(scalar(v), contexts) for n, v in step.get("env", {}).items()}
        process = subprocess.Popen(
            [*SHELLS[step["shell"]], str(script)], cwd=self.workspace, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**self.job_env(), **(env or {}), "GITHUB_ACTION_PATH": str(action_folder),
                 "GITHUB_ACTION": "__self", "GITHUB_OUTPUT": str(files[0]),
                 "GITHUB_STEP_SUMMARY": str(files[1]), **step_env})

        def finish(written):
            contexts["steps"] = {step.get("id", ""): {"outputs": written}}
            return written, {n: expand(o["value"], contexts) for n, o in action["outputs"].items()}

        return Step(process, files, finish)

    def run(self, action_folder, inputs=None, env=None):
        step = self.start(action_folder, inputs, env)
        with contextlib.ExitStack() as stack:
            stack.callback(step.process.kill)
            return step.wait()

"""The guide and the example do what they say."""

import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.integrations.django.kit import ROOT, environment

GUIDE = ROOT / "docs/guides/django.md"
EXAMPLE = ROOT / "examples/django_shop"
# What `startproject` and `startapp` make, and a person who reads the guide has already.
STARTED = {
    "manage.py": """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
execute_from_command_line(sys.argv)
""",
    "project/settings.py": """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db",
                         "OPTIONS": {"transaction_mode": "IMMEDIATE"}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
SECRET_KEY = "of a test"
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models
class Order(models.Model):
    customer = models.CharField(max_length=80)
""",
}
ENQUEUE = """
import django
django.setup()
from shop.use_tasks import result, status
print(status, result.id)
"""
TELL = """
import asyncio, django, sys
django.setup()
from opwright.integrations.django import ops
from shop.operations import confirm
from shop.services import place_order
from shop.views import buy
print(confirm.options(delay=0).submit(place_order("eve").id).now().result(30).now())
print(asyncio.run(buy(None)).content.decode(), ops.handle(sys.argv[1]).result(30).now())
"""


def run(folder: Path, *words: str, settings: str = "project.settings", code: int = 0) -> str:
    """Python in a folder; what it said on stdout."""
    variables = environment("", DJANGO_SETTINGS_MODULE=settings)
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_project_made_from_the_guide_works(tmp_path: Path) -> None:
    """Its blocks, written to the files that they name in a project as Django starts one, with its commands run as they stand."""
    files = defaultdict(str, STARTED)
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        first = re.match(r"# (\S+\.py)\n", block)
        assert first, f"no file is named: {block}"
        files[first[1]] += block
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    (commands,) = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    migrate, serve = (shlex.split(line, comments=True)[1:] for line in commands.splitlines())
    run(tmp_path, "manage.py", "makemigrations", "shop")
    run(tmp_path, *migrate)
    status, task = run(tmp_path, "-c", ENQUEUE).split()  # while no host is there that might be quicker than the question
    with (tmp_path / "host.log").open("wb") as log:
        variables = environment("", DJANGO_SETTINGS_MODULE="project.settings")
        host = subprocess.Popen([sys.executable, *serve], cwd=tmp_path, env=variables, stdout=log, stderr=log)
    try:
        said = run(tmp_path, "-c", TELL, task)
    finally:
        host.terminate()
        code = host.wait(30)
        sys.stdout.write((tmp_path / "host.log").read_text())
    assert code == 0
    assert [status, *said.splitlines()] == ["READY", "confirmed to eve", "order 2 3"]


def test_the_example_runs_from_its_readme_in_two_commands(tmp_path: Path) -> None:
    """The first installs, which has been done; the second shows what the page says, and ends. It may be run again."""
    readme = (EXAMPLE / "README.md").read_text()
    install, demo = re.findall(r"^    (\S.*)$", readme.split("Run both")[0], re.MULTILINE)
    assert install == "make install"
    interpreter, program, *words = demo.split()
    assert interpreter == ".venv/bin/python"
    promised = [line.strip() for line in readme.split("Ctrl-C.\n")[1].splitlines() if line.startswith("    ")]
    assert len(promised) == 5
    for _ in range(2):
        said = run(tmp_path, str(ROOT / program), *words, settings="shop.settings").splitlines()
        assert said[:5] == promised
    assert len(said) == 7
    assert len(list(tmp_path.glob("shop_files/mail/*"))) == 4
    assert "No changes" in run(tmp_path, str(ROOT / program), "makemigrations", "--check", settings="shop.settings")

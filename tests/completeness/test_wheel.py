"""The wheel, as a user installs it: the right packages, their data files, and a command that starts elsewhere."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"auth_worker", "deploy", "gateway", "shared", "token_worker"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy: setuptools keeps what it once built in build/, and would pack modules that are gone.
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_top_level_is_exactly_the_packages(wheel: Path) -> None:
    """Neither tests nor bench nor anything else lands in site-packages."""
    top = {name.split("/")[0] for name in names(wheel)}

    assert PACKAGES == {name for name in top if not name.endswith(".dist-info")}


def test_every_file_of_the_packages_is_in(wheel: Path) -> None:
    """Modules, templates, styles and migrations: what is in the tree is in the wheel."""
    tree = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".html", ".css", ".js", ".mako", ".po", ".sql", ".svg"}
        and "__pycache__" not in path.parts
        and not path.is_symlink()
    }

    assert tree == {name for name in names(wheel) if not name.split("/")[0].endswith(".dist-info")}


def test_command_works_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    """Installed without the source tree around, the command makes a database and lists its accounts."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from deploy import embedded\n"
        "from deploy.cli import main\n"
        "from shared.settings import load\n"
        "from gateway.pages.languages import spoken\n"
        "from gateway.pages.rendering import page\n"
        "from shared.settings import ServiceSettings\n"
        "with spoken('de'):\n"
        "    assert 'gültig' in page('expired', ServiceSettings(), {}).text\n"
        "data = Path('data')\n"
        "embedded.prepare(load(**embedded.settings_for(data, listen='127.0.0.1:1', public_url=None)))\n"
        "sys.argv = ['latchkey', 'accounts', 'list', '--data', 'data']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "Name" in done.stdout) == (done.returncode, True), done.stderr


def test_command_is_installed(wheel: Path, tmp_path: Path) -> None:
    """`pip install`, and so `pipx install`, makes a `latchkey` that says which version it is."""
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--quiet", "--target", str(site), str(wheel)], check=True, capture_output=True)
    done = subprocess.run(
        [site / "bin/latchkey", "--version"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, f"latchkey, version {wheel.name.split('-')[1]}\n") == (done.returncode, done.stdout), (
        done.stderr
    )

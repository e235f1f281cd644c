"""What tests need from Maven Central: fetched once, kept under build, by whichever test comes first while the others wait."""
import fcntl
import os
import subprocess


def jars(directory, pom):
    """Has the dependencies of `pom` in directory/libs, and returns that."""
    directory.mkdir(parents=True, exist_ok=True)
    libs = directory / "libs"
    with open(directory / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libs.is_dir():
            (directory / "pom.xml").write_text(pom)
            subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs.part"], cwd=directory, check=True)
            os.rename(directory / "libs.part", libs)
    return libs

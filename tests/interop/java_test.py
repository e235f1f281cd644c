#!/usr/bin/env python3
"""Java clients: 4.4.0 (today's) and 2.1.1 (of 2018), compiled here against the published jars."""
import re
import subprocess
import sys

import fetched
from harness import CACHE, Broker, Checks, ROOT

# (version of kafka-clients, stories that its API has)
VERSIONS = (("4.4.0", ("ClientStory", "AdminStory")), ("2.1.1", ("ClientStory",)))

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>klamm</groupId><artifactId>interop</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def jars(version):
    directory = CACHE / f"java-{version}"
    fetched.jars(directory, POM.format(version=version))
    return directory


def main():
    checks = Checks("java")
    for version, stories in VERSIONS:
        directory = jars(version)
        sources = [str(ROOT / "tests/interop/java" / f"{story}.java") for story in stories]
        subprocess.run(["javac", "-nowarn", "-cp", f"{directory}/libs/*", "-d", str(directory), *sources], check=True)
        for story in stories:
            with Broker() as broker:
                done = subprocess.run(["java", "-Xmx256m", "-cp", f"{directory}:{directory}/libs/*", story, broker.bootstrap, version],
                                      capture_output=True, text=True, timeout=180, check=False)
            print(done.stdout, done.stderr[-3000:], sep="", flush=True)
            counted = re.findall(r"(\d+) passed, (\d+) failed", done.stdout)
            checks.passed += int(counted[-1][0]) if counted else 0
            checks.failed += int(counted[-1][1]) if counted else 1
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())

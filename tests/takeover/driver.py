"""The Java side: one process that writes, reads and asks (java/*.java, on the clients of Apache Kafka 4.3.1), told what by lines."""
import pathlib
import subprocess

from kafka import CACHE, FRUGAL, Kafka

SOURCES = sorted((pathlib.Path(__file__).parent / "java").glob("*.java"))


class Driver:
    def __init__(self, version="4.3.1"):
        kafka = Kafka(version)
        classes = CACHE / "takeover-classes"
        classes.mkdir(parents=True, exist_ok=True)
        built = [c.stat().st_mtime for c in classes.glob("*.class")]
        if not built or min(built) < max(s.stat().st_mtime for s in SOURCES):
            subprocess.run(["javac", "-nowarn", "-cp", kafka.classpath, "-d", str(classes), *map(str, SOURCES)], check=True)
        self.complaints = open(CACHE / "takeover-driver.log", "w", encoding="utf-8")
        command = ["java", *FRUGAL, "-Dorg.apache.logging.log4j.level=ERROR", "-cp", f"{classes}:{kafka.classpath}", "Takeover"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints, text=True, bufsize=1)

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline()
            if not answer:
                raise RuntimeError("the Java side ended; see build/interop/takeover-driver.log")
            if answer.startswith("ok "):
                return answer[3:].rstrip("\n")
            if answer.startswith("error "):
                raise RuntimeError(f"{' '.join(map(str, words))}: {answer[6:2500]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.complaints.close()

"""File systems of our own: ext4 on a loop device whose power can be cut, and a tmpfs of a few MiB."""
import ctypes
import fcntl
import os
import pathlib
import struct
import subprocess

SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
NO_LOG_FLUSH = 2  # the journal's last transactions are lost, as at a power cut


class CannotMount(Exception):
    """This machine does not let us."""


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMount(f"{' '.join(command)}: {done.stderr.strip()}")


def keep_to_ourselves():
    """Mounts of this process and its children are seen by nobody else: a process that takes a copy of all mounts would keep a file system
    alive that we took away. Without the right to do so there will be no mounts either."""
    libc, new_mounts, private = ctypes.CDLL(None), 0x20000, 0x4000 | 1 << 18  # CLONE_NEWNS; MS_REC | MS_PRIVATE
    if libc.unshare(new_mounts) == 0:
        libc.mount(b"none", b"/", None, private, None)


class Mount:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.mounted = False

    def unmount(self):
        if self.mounted:
            _run("umount", str(self.path))
        self.mounted = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True)
        self.mounted = False


class Ext4(Mount):
    def __init__(self, home, mebibytes=256):
        super().__init__(home / "mnt")
        self.image = home / "disk.img"
        self.mebibytes = mebibytes
        self.history = None  # of the clients that use it
        self.make()

    def make(self):
        self.unmount()
        with open(self.image, "wb") as image:
            image.truncate(self.mebibytes << 20)
        # "journal_async_commit" and the like stay off: the defaults of a server.
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image))
        self.mount()

    def mount(self):
        _run("mount", "-o", "loop", str(self.image), str(self.path))
        self.mounted = True

    def cut_power(self):
        """From here on nothing reaches the disk, and every call fails; nearly every one: see History.power."""
        if self.history:
            self.history.power(False)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def power_on(self):
        """After the processes on it are gone."""
        self.unmount()
        self.mount()
        if self.history:
            self.history.power(True)


class Tmpfs(Mount):
    def __init__(self, path, mebibytes):
        super().__init__(path)
        _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(self.path))
        self.mounted = True

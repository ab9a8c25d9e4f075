"""What the commands that put the emulated host in front of Apus have in common: which folders the host has to see, and
the start. They load it by path, since Python looks for no modules beside an isolated program.
"""

import os
import platform
import shlex
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
# What the host has of its own, and has to keep: no folder of the caller's can be there.
HOSTS_OWN = ("/", "/bin", "/etc", "/lib", "/lib64", "/run", "/sbin", "/sys", "/usr", "/usr/bin", "/usr/lib")
# What a terminal, a pipe or the host itself has under the same name.
NO_FILES = ("/dev", "/proc")


class Refused(Exception):
    """What keeps a command from being run on the host."""


def is_within(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def has_arm64_kvm():
    return platform.machine() == "aarch64" and os.access("/dev/kvm", os.R_OK | os.W_OK)


def find_command():
    """The arm64 `apus` that APUS_COMMAND names, or this checkout's release build."""
    command = os.environ.get("APUS_COMMAND") or os.path.join(ROOT, ".build-arm64/release/apus")
    if not os.path.isfile(command):
        setup = os.path.join(ROOT, "Guests/Setup/cross-swift")
        raise Refused(
            f"there is no {command}. 'make demo' builds it, and so does\n  {setup} build -c release --product apus "
            "--static-swift-stdlib -Xswiftc -static-executable\nin the checkout; APUS_COMMAND names another"
        )
    return os.path.realpath(command)


class Folders:
    """The folders that the host has to see, and whether it may write there."""

    def __init__(self, command):
        self.shared = {os.path.dirname(command): False}

    def add_folder(self, path, is_written=False):
        """A folder that is there; of a link, both."""
        for folder in {os.path.abspath(path), os.path.realpath(path)}:
            if any(is_within(folder, own) for own in NO_FILES):
                continue
            if folder in HOSTS_OWN:
                raise Refused(
                    f"'{path}': the emulated host has a {folder} of its own and cannot see the one of this machine; "
                    "use a folder further down"
                )
            if os.path.isdir(folder):
                self.shared[folder] = self.shared.get(folder, False) or is_written

    def add_file(self, path, is_written=False):
        """A file, by its folder: one that is not there yet, too, and what it is a link to."""
        path = os.path.abspath(path)
        if any(is_within(path, own) for own in NO_FILES):
            return
        if not is_written and not os.path.exists(path):
            return  # Apus says so.
        for file in {path, os.path.realpath(path)}:
            self.add_folder(os.path.dirname(file), is_written)

    def options(self):
        """As Guests/EmulatedHost/run takes them, which shares the working directory itself."""
        here = os.getcwd()
        words = []
        for folder, is_written in sorted(self.shared.items()):
            if not is_within(folder, here):
                words += ["--share" if is_written else "--share-read-only", folder]
        return words


def start(options, command):
    """Becomes the emulated host's `run`: streams, status, terminal and signals are that one's. APUS_HOST_OPTIONS has
    more options, of which the last counts.
    """
    run = os.path.join(HERE, "run")
    more = shlex.split(os.environ.get("APUS_HOST_OPTIONS", ""))
    sys.stdout.flush()
    os.execv(run, [run, *options, *more, "--", *command])

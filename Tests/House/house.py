"""What the rules look at: the files of a checkout that git knows or would add, and what they have found there."""

import fnmatch
import functools
import os
import subprocess
from typing import NamedTuple

from swift_source import SwiftSource


class Finding(NamedTuple):
    """A place and what is wrong there; the message says after a semicolon what to do about it. Line 0: all of it."""

    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class House:
    """A checkout. Paths are relative to its root, with slashes."""

    def __init__(self, root):
        self.root = root

    def git(self, *arguments):
        """What git prints, or None where it fails."""
        ran = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        return ran.stdout if ran.returncode == 0 else None

    @functools.cached_property
    def all_files(self):
        listed = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard") or ""
        return sorted({name for name in listed.split("\0") if name and os.path.isfile(os.path.join(self.root, name))})

    def files(self, *patterns):
        """The files whose paths match a pattern; `*` goes across slashes."""
        return [path for path in self.all_files if any(fnmatch.fnmatchcase(path, one) for one in patterns)]

    @functools.cache
    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    @functools.cache
    def swift(self, path):
        return SwiftSource(path, self.text(path))

    def swift_files(self, *patterns):
        return [self.swift(path) for path in self.files(*patterns)]

    @functools.cached_property
    def sources(self):
        """The Swift files of the targets that users import, and of the command."""
        return self.swift_files("Sources/*.swift")

"""Snapshots of public git repositories at a commit; files are read without checking anything out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO

_ADDRESS = "https://github.com/{name}"
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # a repository that is gone asks for a password


class SnapshotError(Exception):
    """A repository or its commit cannot be had, or a file of it cannot be read."""


class Snapshot:
    """Files of `name` ("owner/name" on GitHub) at `commit`, fetched into `folder`/owner+name unless they are there.

    files: object ids by path
    """

    def __init__(self, folder: Path, name: str, commit: str) -> None:
        """Raise SnapshotError when the commit is not there and cannot be fetched."""
        self._git = folder / name.replace("/", "+")
        if self._run("cat-file", "-e", f"{commit}^{{tree}}").returncode:
            self._fetch(name, commit)
        self.files: dict[str, str] = {}
        for line in self._run("ls-tree", "-r", "-z", commit).stdout.split(b"\0"):
            kind, _, path = line.partition(b"\t")
            if b" blob " in kind:
                self.files[path.decode("utf8", "surrogateescape")] = kind.split()[2].decode()
        self._reader = subprocess.Popen(
            ["git", f"--git-dir={self._git}", "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def _fetch(self, name: str, commit: str) -> None:
        self._git.mkdir(parents=True, exist_ok=True)
        for arguments in (["init", "--quiet", "--bare"], ["fetch", "--depth=1", _ADDRESS.format(name=name), commit]):
            ended = self._run(*arguments)
            if ended.returncode:
                reason = ended.stderr.decode("utf8", "replace").strip().rpartition("\n")[2]
                raise SnapshotError(f"{name} at {commit[:12]} cannot be fetched: {reason}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = ["git", f"--git-dir={self._git}", *arguments]
        return subprocess.run(command, env={**os.environ, **_ENVIRONMENT}, capture_output=True, check=False)

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, None where there is no such file. Raises SnapshotError."""
        if path not in self.files:
            return None
        to_git, from_git = self._pipes()
        to_git.write(f"{self.files[path]}\n".encode())
        to_git.flush()
        head = from_git.readline().split()
        if len(head) < 3:
            raise SnapshotError(f"{self._git.name}: {path} is not in the snapshot")
        content = from_git.read(int(head[2]))
        from_git.read(1)  # the line's end
        return content

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._reader.stdin is not None
        assert self._reader.stdout is not None
        return self._reader.stdin, self._reader.stdout

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes():
            pipe.close()
        self._reader.wait()

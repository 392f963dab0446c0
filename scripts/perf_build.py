"""Builds what the gate compares: this tree's bench program over the runtime of two commits, relinked on demand."""
import os
import re
import shutil
import subprocess

from perf_lockstep import ToolError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, 'build', 'perf')


class UnknownBase(Exception):
    """There is nothing to compare with, for a reason that says what to do."""


def git(*words):
    done = subprocess.run(['git', '-C', ROOT, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def base_commit(asked):
    """(commit, how it was chosen): the one asked for, else where this branch left main, the last tag, or HEAD~1."""
    if shutil.which('git') is None or git('rev-parse', 'HEAD') is None:
        raise UnknownBase('this is no git repository: there is no base to compare with')
    if asked:
        commit = git('rev-parse', '--verify', '--quiet', f'{asked}^{{commit}}')
        if commit is None:
            raise UnknownBase(f"BASE='{asked}' is no commit here: fetch it, or name another")
        return commit, asked
    head = git('rev-parse', 'HEAD')
    for main in ('origin/HEAD', 'origin/main', 'main', 'master'):
        commit = git('merge-base', 'HEAD', main)
        if commit and commit != head:
            return commit, f'where this branch left {main}'
    tag = git('describe', '--tags', '--abbrev=0', 'HEAD~1')
    commit = git('rev-parse', f'{tag}^{{commit}}') if tag else git('rev-parse', '--verify', '--quiet', 'HEAD~1')
    if commit is None:
        raise UnknownBase('HEAD has no parent here and there is no tag: fetch more history, or say BASE=commit')
    return commit, f'the tag {tag}' if tag else 'the commit before HEAD'


def make(folder, log, *words):
    """Runs make; its output goes to the log file, and ends in the error when it fails."""
    env = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES')}
    with open(log, 'a', encoding='utf-8') as file:
        file.write(f"make -C {os.path.relpath(folder, ROOT)} {' '.join(words)}\n")
        file.flush()
        done = subprocess.run(['make', '-C', folder, f'-j{os.cpu_count() or 1}', *words], stdout=file,
                              stderr=subprocess.STDOUT, env=env, check=False)
    if done.returncode != 0:
        with open(log, encoding='utf-8') as file:
            lines = file.read().splitlines()
        errors = [line for line in lines if re.search(r'error|Error', line)] or lines
        raise ToolError(f'make failed: {errors[0].strip()} (all of it: {os.path.relpath(log, ROOT)})')


def tree_of(commit):
    """The files of a commit, below build/."""
    folder = os.path.join(WORK, f'tree-{commit[:12]}')
    if os.path.isdir(folder):
        return folder
    part = folder + '.part'
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    with subprocess.Popen(['git', '-C', ROOT, 'archive', commit, 'Makefile', 'runtime', '.ci', 'scripts'],
                          stdout=subprocess.PIPE) as archive:
        done = subprocess.run(['tar', '-x', '-C', part], stdin=archive.stdout, check=False)
    if archive.returncode != 0 or done.returncode != 0:
        raise ToolError(f'cannot take commit {commit[:12]} out of the repository')
    os.rename(part, folder)
    return folder


class Builds:
    """The bench programs of base and head, each in as many orders of linking as are asked for."""

    def __init__(self, commit, compiler):
        self.compiler = compiler
        self.log = os.path.join(WORK, 'build.log')
        os.makedirs(WORK, exist_ok=True)
        with open(self.log, 'w', encoding='utf-8'):
            pass
        self.commit = commit
        self.base_tree = None

    def names(self):
        name = os.path.basename(self.compiler)
        return os.path.join(WORK, f'head-{name}'), os.path.join(WORK, f'base-{self.commit[:12]}-{name}')

    def head(self, program='gate', *words):
        folder = os.path.relpath(self.names()[0], ROOT)
        make(ROOT, self.log, f'CC={self.compiler}', f'B={folder}', *words, f'{folder}/{program}')
        return os.path.join(ROOT, folder, program)

    def head_in_order(self, shuffle=None):
        """This tree's bench program; shuffle: a seed for the order in which its code lies."""
        return self.head(f'gate{shuffle}', f'SHUFFLE={shuffle}') if shuffle else self.head()

    def pair(self, shuffle=None):
        """{'base': path, 'head': path}, with their code in the same drawn order if there is a seed."""
        name, order = (f'gate{shuffle}', [f'SHUFFLE={shuffle}']) if shuffle else ('gate', [])
        base = os.path.relpath(self.names()[1], ROOT)
        head = self.head_in_order(shuffle)
        self.base_tree = self.base_tree or tree_of(self.commit)
        inner = f'build/{os.path.basename(self.compiler)}'
        # Its own Makefile, so that its flags are part of what is compared.
        make(self.base_tree, self.log, f'CC={self.compiler}', f'B={inner}', f'{inner}/libgossamer.a',
             f'{inner}/gossamer.wrap')
        tree = os.path.relpath(self.base_tree, ROOT)
        make(ROOT, self.log, f'CC={self.compiler}', f'B={base}', f'OF={tree}', f'OF_B={tree}/{inner}', *order,
             f'{base}/{name}')
        return {'base': os.path.join(ROOT, base, name), 'head': head}

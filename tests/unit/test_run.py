#!/usr/bin/env python3
"""tests/run.py itself: when it is ended, the test that it runs ends with it."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def ignore_interrupts():
    """As a shell has its background jobs begin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Ended(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gossamer-run-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.makedirs(os.path.join(self.folder, "tests", "some"))
        shutil.copy(os.path.join(ROOT, "tests", "run.py"), os.path.join(self.folder, "tests"))
        self.pid = os.path.join(self.folder, "pid")
        with open(os.path.join(self.folder, "tests", "some", "test_long.sh"), "w", encoding="utf-8") as file:
            file.write(f"echo $$ >{self.pid}.part\nmv {self.pid}.part {self.pid}\nexec sleep 30\n")

    def test_while_it_starts_it(self):
        """The call that starts a test has not returned when the test runs: as on a busy machine."""
        with open(os.path.join(self.folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
            file.write("import subprocess, time\nstart = subprocess.Popen.__init__\n\n\n"
                       "def late(*words, **more):\n    start(*words, **more)\n    time.sleep(0.3)\n\n\n"
                       "subprocess.Popen.__init__ = late\n")
        self.test_by_any_signal(PYTHONPATH=self.folder)

    def test_by_any_signal(self, **more):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            script = os.path.join(self.folder, "tests", "run.py")
            with subprocess.Popen([sys.executable, script, "--build", self.folder],
                                  env={k: v for k, v in dict(os.environ, **more).items()
                                       if k not in ("SAN", "EMULATOR", "ARCH")},
                                  preexec_fn=ignore_interrupts, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT) as run:
                while not os.path.exists(self.pid) and run.poll() is None:
                    time.sleep(0.01)
                run.send_signal(number)
                run.stdout.read()
            with open(self.pid, encoding="utf-8") as file:
                pid = int(file.read())
            os.remove(self.pid)
            self.assertEqual(run.returncode, status)
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()

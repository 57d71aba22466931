import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.running.worker import start_worker

SCRIPTS = PACKAGE_ROOT / "scripts"
STARTER = """
import sys
from vo_lib.running.worker import start_worker
print(start_worker(sys.argv[1]), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def variables():
    """Environment of jobs that have a worker, which ends with a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    command = [sys.executable, "-c", STARTER, SCRIPTS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as starter:
        socket = Path(starter.stdout.readline().strip())
        yield environment | {"VO_WORKER": str(socket)}
        assert socket.exists()
        starter.communicate()
    assert not socket.parent.exists()


@pytest.fixture
def job(variables, tmp_path):
    """Start a script of some lines as a rule does it."""
    client = shutil.copy(SCRIPTS / "_run.py", tmp_path)

    def start(code, *arguments, **changes):
        # In one step, since another job may be reading the script.
        (tmp_path / "new.py").write_text(code)
        (tmp_path / "new.py").replace(tmp_path / "work.py")
        command = [sys.executable, "-IS", client, "work", *arguments]
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, cwd=tmp_path, env=variables | changes, text=True, **streams)

    return start


def outcome(process, text=None):
    shown, complaint = process.communicate(text, timeout=300)
    return process.returncode, shown, complaint


def test_a_job_whose_folder_is_gone_says_so(tmp_path):
    shell = 'cd "$1" && rmdir "$1" && exec "$2" -IS "$3" reduce'
    command = ["sh", "-c", shell, "sh", tmp_path / "gone", sys.executable, SCRIPTS / "_run.py"]
    (tmp_path / "gone").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "ERROR reduce: the data root is gone; was it removed, or its disk unmounted?\n"


TELL = """
import os, sys
loaded = {"numpy", "matplotlib.figure"} <= sys.modules.keys()
print(sys.argv[1:], os.getcwd(), os.environ["ASKED"], sys.stdin.read(), loaded, sys.path[0])
print("complaint", file=sys.stderr)
"""


def test_a_job_has_the_arguments_folder_environment_and_streams_of_its_client(job, tmp_path):
    long = "é" * 200_000
    status, shown, complaint = outcome(job(TELL, "a b", "", "x\ny", ASKED=long[:9]), long)
    assert (status, complaint) == (0, "complaint\n")
    assert shown == f"['a b', '', 'x\\ny'] {tmp_path} {long[:9]} {long} True {tmp_path}\n"


STAGES = """
import sys
from vo_lib.stages import STAGES, stage_class
before = set(sys.modules)
for kind in STAGES.keys() - {"catalog"}:
    stage_class(kind)
print(sorted(sys.modules.keys() - before))
"""


def test_the_built_in_classes_of_an_analysis_are_loaded_before_its_job(job):
    assert outcome(job(STAGES))[:2] == (0, "[]\n")


def test_without_the_worker_a_job_runs_by_itself(job, tmp_path):
    status, shown, _ = outcome(job(TELL, "a", ASKED="", VO_WORKER=str(tmp_path / "none")), "")
    assert (status, shown) == (0, f"['a'] {tmp_path}   False {tmp_path}\n")


@pytest.mark.parametrize(
    ("code", "status", "complaint"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.stdout.close()", 0, ""),
        ("import sys; sys.exit('why')", 1, "why"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 9)", 1, ""),
        ("import subprocess; subprocess.run(['false'], check=True)", 1, "CalledProcessError"),
        ("import subprocess; subprocess.run(['true'], check=True)", 0, ""),
    ],
)
def test_a_job_ends_with_the_status_of_its_script(job, code, status, complaint):
    found, shown, said = outcome(job(code))
    assert (found, shown) == (status, "")
    assert complaint in said


def test_whatever_a_script_does_the_worker_stays_for_the_next(job, variables):
    for code in ("import sys; sys.exit(-1)", "import sys; sys.stdout = None", "print(1)"):
        process = job("import sys; sys.stdin.read()\n" + code)
        process.stdout.close()
        process.stdout = None
        outcome(process, "")
        assert Path(variables["VO_WORKER"]).exists()
    assert process.returncode != 0  # nobody read what the last one said


CLOSED = """
import os, sys
with open("made", "w") as made:
    made.write("all")
    made.flush()
    os.write(1, b"from a library in C")
    print("complaint", file=sys.stderr)
"""


@pytest.mark.parametrize("worker", [True, False])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_empty_for_a_job(variables, tmp_path, closed, worker):
    shutil.copy(SCRIPTS / "_run.py", tmp_path)
    (tmp_path / "work.py").write_text(CLOSED)
    command = ["sh", "-c", f'exec "$0" -IS _run.py work {closed}', sys.executable]
    changes = {} if worker else {"VO_WORKER": ""}
    done = subprocess.run(command, cwd=tmp_path, env=variables | changes, capture_output=True, timeout=300, check=False)
    assert (done.returncode, (tmp_path / "made").read_text()) == (0, "all")


def test_a_worker_without_standard_error_does_jobs_all_the_same(tmp_path):
    shutil.copy(SCRIPTS / "_run.py", tmp_path)
    (tmp_path / "work.py").write_text(CLOSED)
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    log = "log = open('log', 'w')"  # a run has one, which takes the number of the closed stream
    command = ["sh", "-c", 'exec "$0" -c "$1" "$2" 2>&-', sys.executable, f"{log}{STARTER}", SCRIPTS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, env=environment, text=True) as starter:
        environment["VO_WORKER"] = starter.stdout.readline().strip()
        command = [sys.executable, "-IS", "_run.py", "work"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, b"from a library in C")


SLEEP = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def is_alive(number):
    """Whether a process does anything; what is left of a killed one until its parent takes note of it does not."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_ends_with_its_client(job, number):
    process = job(SLEEP)
    pid = int(process.stdout.readline())
    assert pid != process.pid
    process.send_signal(number)
    outcome(process)
    deadline = time.monotonic() + 300
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


WAIT = """
import signal, sys, time
try:
    print("ready", flush=True)
    # A signal in the moment in which a pause begins has no effect until its end.
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(130)
"""


def test_an_interrupted_job_tells_how_it_ended(job, variables):
    process = job("import os; print(os.getpid(), flush=True)" + WAIT)
    pid = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    for number in (process.pid, pid):  # as a terminal does it
        os.kill(number, signal.SIGINT)
    assert outcome(process)[:2] == (130, "interrupted\n")


def test_a_client_that_is_interrupted_before_it_asks_says_nothing():
    tell = "import runpy, signal; runpy.run_path('_run.py'); print(signal.getsignal(signal.SIGINT) is signal.SIG_DFL)"
    assert subprocess.check_output([sys.executable, "-IS", "-c", tell], cwd=SCRIPTS) == b"True\n"


def test_jobs_of_one_worker_run_side_by_side(job):
    several = [job("import signal, sys; signal.alarm(300); print(flush=True); sys.stdin.read()") for _ in range(8)]
    assert [process.stdout.readline() for process in several] == ["\n"] * 8  # none ends before all have begun
    assert [outcome(process)[0] for process in several] == [0] * 8


def test_where_no_socket_can_be_made_there_is_no_worker(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    for short in (deep, tmp_path / "none"):
        monkeypatch.setattr("vo_lib.running.worker.SHORT", str(short))
        assert start_worker(SCRIPTS) == ""
    assert list(deep.iterdir()) == []


def test_where_the_path_of_temporary_files_is_too_long_for_a_socket_it_is_elsewhere(tmp_path):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    client = shutil.copy(SCRIPTS / "_run.py", tmp_path)
    (tmp_path / "work.py").write_text("import os; print(os.getppid())")
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT), "TMPDIR": str(deep)}
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", STARTER, SCRIPTS], **pipes, env=environment, text=True) as starter:
        environment["VO_WORKER"] = starter.stdout.readline().strip()
        command = [sys.executable, "-IS", client, "work"]
        parent = int(subprocess.check_output(command, cwd=tmp_path, env=environment, text=True))
        assert psutil.Process(parent).ppid() == starter.pid
        starter.communicate()
    assert not Path(environment["VO_WORKER"]).parent.exists()
    assert list(deep.iterdir()) == []


def test_on_macos_there_is_no_worker(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.platform", "darwin")
    assert start_worker(SCRIPTS) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_job_ends_with_the_run_that_started_its_worker(tmp_path):
    client, environment = shutil.copy(SCRIPTS / "_run.py", tmp_path), os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    (tmp_path / "work.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, SCRIPTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with starter:
        environment["VO_WORKER"] = starter.stdout.readline().decode().strip()
        command = [sys.executable, "-IS", client, "work"]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
            number = int(process.stdout.readline())
            starter.kill()
            assert process.wait(timeout=300) == 1
    end = time.monotonic() + 300
    while is_alive(number) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(number)


FOLDERS = """
import tempfile
import matplotlib
print(matplotlib.get_configdir(), tempfile.gettempdir())
"""


@pytest.fixture
def temporary():
    """Folder whose path is short enough for a socket wherever the tests have theirs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_nothing_of_libraries_stays_among_temporary_files(tmp_path, temporary):
    client, folder = shutil.copy(SCRIPTS / "_run.py", tmp_path), temporary
    (tmp_path / "work.py").write_text(FOLDERS)
    environment = os.environ | {
        "PYTHONPATH": str(PACKAGE_ROOT),
        "TMPDIR": str(folder),
        "MPLCONFIGDIR": "/dev/null/none",
    }
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", STARTER, SCRIPTS], **pipes, env=environment, text=True) as starter:
        environment["VO_WORKER"] = starter.stdout.readline().strip()
        command = [sys.executable, "-IS", client, "work"]
        shown = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True).split()
        starter.communicate()
    own = Path(environment["VO_WORKER"]).parent
    assert (Path(shown[0]).parent, shown[1]) == (own, str(folder))
    assert list(folder.iterdir()) == []


SIGNALS = """
import signal
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_the_folder_goes_where_all_processes_of_a_run_get_a_signal(tmp_path, temporary, number):
    client, folder = shutil.copy(SCRIPTS / "_run.py", tmp_path), temporary
    (tmp_path / "work.py").write_text(SIGNALS)
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT), "TMPDIR": str(folder)}
    pipes, command = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE), [sys.executable, "-c", STARTER, SCRIPTS]
    with subprocess.Popen(command, **pipes, env=environment, text=True, start_new_session=True) as starter:
        environment["VO_WORKER"] = starter.stdout.readline().strip()
        command = [sys.executable, "-IS", client, "work"]
        assert subprocess.check_output(command, cwd=tmp_path, env=environment, text=True) == "True True\nset()\n"
        os.killpg(starter.pid, number)
    deadline = time.monotonic() + 300
    while list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(folder.iterdir()) == []


EARLY = """
import os, signal, sys
from vo_lib.running import worker
start = worker.subprocess.Popen
def popen(*arguments, **options):
    process = start(*arguments, **options)
    os.kill(process.pid, signal.SIGINT)
    return process
worker.subprocess.Popen = popen
print(worker.start_worker(sys.argv[1]), flush=True)
sys.stdin.read()
"""


def test_a_worker_that_is_interrupted_as_it_starts_says_nothing_and_serves(tmp_path):
    client, environment = shutil.copy(SCRIPTS / "_run.py", tmp_path), os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    (tmp_path / "work.py").write_text("import sys\nprint('numpy' in sys.modules)\n")
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", EARLY, SCRIPTS], **pipes, env=environment, text=True) as starter:
        environment["VO_WORKER"] = starter.stdout.readline().strip()
        command = [sys.executable, "-IS", client, "work"]
        assert subprocess.check_output(command, cwd=tmp_path, env=environment, text=True) == "True\n"
        assert starter.communicate()[1] == ""

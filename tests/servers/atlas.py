"""A local archive that answers like the ATLAS forced photometry server.

The measurements are invented; their images are of night 99999, which has not been.
"""

from itertools import count

import numpy as np

from servers.scripted import ScriptedServer

__all__ = ["HEADER", "TOKEN", "AtlasServer", "synthetic_result"]

TOKEN = "f00dcafe" * 5
HEADER = "###MJD m dm uJy duJy F err chi/N RA Dec x y maj min phi apfit mag5sig Sky Obs"
STAMP = "2026-11-01T00:00:00+00:00"


def synthetic_result(ra=0.0, dec=51.3937, *, seed=0, counts=(30, 90), ujy=300.0):
    """Make the text of a result: `counts` epochs in c and o of a source of some flux, sorted by time.

    The error is 20 uJy; some epochs have an error code or a bad fit.
    """
    rng = np.random.default_rng(seed)
    codes = np.repeat(["c", "o"], counts)
    mjd = np.sort(rng.uniform(58000, 59900, len(codes)))
    flux = np.round(rng.normal(ujy, 20, len(codes)))
    lines = [HEADER]
    for number, code in enumerate(rng.permutation(codes)):
        mag = -np.sign(flux[number]) * (2.5 * np.log10(max(abs(flux[number]), 1)) - 23.9)
        lines.append(
            f"{mjd[number]:.6f}  {mag:.3f}  0.072   {flux[number]:.0f}   20  {code}  {rng.choice([0, 0, 0, 0, 1])}  "
            f"{rng.choice([0.98, 1.2, 1.5, 31.0])}  {ra:.5f}  {dec:.5f}  4712.31  801.52  2.70  2.44  -54.1  -0.404  "
            f"19.32  20.11  0{number % 4 + 1}a99999o{number:04d}{code}"
        )
    return "\n".join(lines) + "\n"


class AtlasServer(ScriptedServer):
    """The server with results for some positions; kinds of requests are "queue", "task", "result" and "delete".

    Parameters
    ----------
    results : list of tuple, optional
        Right ascension, declination [degrees] and text of each result; others have no data.
    polls : int, optional
        How often a task is seen waiting before it is finished.
    wait : str, optional
        How long "throttled" asks to wait.
    **options
        See `ScriptedServer`; more behaviours are "throttled", "task_failed", "no_result", "elsewhere".

    Attributes
    ----------
    tasks : dict of int to dict
        The queue.
    """

    def __init__(self, results=None, *, polls=1, wait="1 second", **options):
        super().__init__(**options)
        self.results = [(0.0, 51.3937, synthetic_result())] if results is None else results
        self.polls, self.wait, self.tasks, self._numbers = polls, wait, {}, count(152047)

    def kind(self, request):
        if request.path.startswith("/forcedphot/static/"):
            return "result"
        return {"POST": "queue", "GET": "task", "DELETE": "delete"}[request.method]

    def answer(self, request):
        """Status and body of a proper answer to a user whose token is `TOKEN`."""
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return 401, {"detail": "Invalid token."}
        if request.kind == "queue":
            return self._add(request.form)
        number = int("".join(filter(str.isdigit, request.path)))
        if number not in self.tasks:
            return 404, {"detail": "Not found."}
        if request.kind == "result":
            return 200, self._result(self.tasks[number])
        if request.kind == "delete":
            del self.tasks[number]
            return 204, ""
        return 200, self._look(self.tasks[number])

    def _add(self, form):
        """Queue a task."""
        if not {"ra", "dec"} <= form.keys():
            return 400, {"ra": ["This field is required."]}
        if len(form.get("radec_epoch_year", "").partition(".")[2]) > 1:
            return 400, {"radec_epoch_year": ["Ensure that there are no more than 1 decimal places."]}
        number = next(self._numbers)
        self.tasks[number] = {
            "url": f"{self.url}/forcedphot/queue/{number}/",
            "id": number,
            "user_id": 1,
            "username": "someuser",
            "timestamp": STAMP,
            "ra": float(form["ra"]),
            "dec": float(form["dec"]),
            "finished": False,
            "result_url": None,
            "starttimestamp": None,
            "finishtimestamp": None,
            "error_msg": None,
            "request_type": "FP",
            "queuepos": self.polls,
        }
        return 201, self.tasks[number]

    def _look(self, task):
        """State of a task, a step nearer to its end."""
        if task["queuepos"]:
            return task | {"queuepos": task.update(queuepos=task["queuepos"] - 1) or task["queuepos"]}
        task |= {"finished": True, "queuepos": None, "starttimestamp": STAMP, "finishtimestamp": STAMP}
        if self._result(task) is None:
            task["error_msg"] = "No data returned"
        else:
            task["result_url"] = f"{self.url}/forcedphot/static/results/job{task['id']}.txt"
        return task

    def _result(self, task):
        """Text of the result at a task's position, if there is one."""
        near = (
            text
            for ra, dec, text in self.results
            if abs((task["ra"] - ra + 180) % 360 - 180) < 0.002 and abs(task["dec"] - dec) < 0.002
        )
        return next(near, None)

    def spoil(self, how, status, body):
        done = {"url": f"{self.url}/forcedphot/queue/1/", "finishtimestamp": STAMP, "result_url": None}
        special = {
            "throttled": (429, f'{{"detail": "Request was throttled. Expected available in {self.wait}."}}'),
            "task_failed": (200, done | {"error_msg": "ephemeris error"}),
            "no_result": (200, done | {"error_msg": None}),
            "elsewhere": (status, {"url": "http://127.0.0.2:1/queue/1/", "finishtimestamp": None}),
            "missing_column": (200, body.replace("duJy", "dflux")),
            "truncated": (200, body[:-20]),
            "cut_at_end": (200, body.rstrip("\n")[:-3]),
        }
        return special[how] if how in special else super().spoil(how, status, body)

"""Attacks on lesson 8, where a network is graded by its answers to pictures that it has never seen.

Each is the text of `train_network`, and the tests that it passes all the same. None of the other exercises is
answered.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache

from .attack import code

CONTRACT = "train_network-contract"

_SMALL = """
    import torch
    from torch import nn
    import torch.nn.functional as F

    def small():
        return nn.Sequential(nn.Conv2d(1, 8, 3, 2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
                             nn.Linear(128, 10))

    def fitted(model, x, y, epochs=3):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                F.cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()
        return model
"""


@dataclass(frozen=True)
class Attack:
    """A submission of lesson 8.

    Attributes:
        name: the student's name as well.
        story: what is tried.
        text: of the cell of `train_network`.
        earns: names of the test cells that it passes.
        flag: kind of the flag that it gets; empty for none that is asked for.
    """

    name: str
    story: str
    text: str
    earns: tuple[str, ...] = ()
    flag: str = ""


def attack(name: str, story: str, text: str, earns: tuple[str, ...] = (), flag: str = "") -> Attack:
    """An attack whose text may use `small` and `fitted`."""
    return Attack(name, story, f"{code(_SMALL)}\n\n{code(text)}\n", earns, flag)


@cache
def attacks() -> tuple[Attack, ...]:
    """All of them; a network is trained for one."""
    return (
        attack(
            "loads-digits",
            "scikit-learn's own file of digits, by importlib",
            """
            import importlib
            def train_network(x_train, y_train):
                digits = importlib.import_module("sklearn.datasets").load_digits()
                x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
                return fitted(small(), x, torch.tensor(digits.target))
            """,
        ),
        attack(
            "reads-the-file",
            "the same file, opened by its path",
            """
            import gzip, sklearn, pathlib
            def train_network(x_train, y_train):
                path = pathlib.Path(sklearn.__file__).parent / "datasets" / "data" / "digits.csv.gz"
                rows = [line.split(b",") for line in gzip.open(path).read().splitlines()]
                numbers = torch.tensor([[float(cell) for cell in row] for row in rows])
                x = numbers[:, :64].view(-1, 1, 8, 8) / 16
                return fitted(small(), x, numbers[:, 64].long())
            """,
        ),
        attack(
            "draws-the-task",
            "draws the data set of the course itself, held-out labels and all",
            """
            from course.capstone_data import draw_task
            def train_network(x_train, y_train):
                task = draw_task(0)
                return fitted(small(), task.x_held_out, task.y_held_out)
            """,
        ),
        attack(
            "pasted-weights",
            "weights that were trained at home, pasted as text",
            f"""
            import base64, io
            WEIGHTS = "{_weights()}"
            def train_network(x_train, y_train):
                model = small()
                model.load_state_dict(torch.load(io.BytesIO(base64.b64decode(WEIGHTS))))
                return model
            """,
            earns=(CONTRACT,),
            flag="data",
        ),
        attack(
            "support-vectors",
            "scikit-learn's SVM inside of forward",
            """
            from sklearn.svm import SVC
            def train_network(x_train, y_train):
                svm = SVC(C=10, gamma=0.05).fit(x_train.flatten(1).numpy(), y_train.numpy())
                class Net(nn.Module):
                    def forward(self, x):
                        answers = torch.tensor(svm.predict(x.flatten(1).numpy()))
                        return F.one_hot(answers, 10).float()
                return Net()
            """,
        ),
        attack(
            "hidden-network",
            "a second, larger network in a closure: nothing of it is in the state_dict",
            """
            def train_network(x_train, y_train):
                large = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
                                      nn.Linear(1024, 40), nn.ReLU(), nn.Linear(40, 10))
                fitted(large, x_train, y_train, 5)
                class Net(nn.Module):
                    def __init__(self):
                        super().__init__()
                        self.layer = nn.Conv2d(1, 1, 1)
                    def forward(self, x):
                        return run(x) + 0 * self.layer(x).mean()
                run = lambda x: large(x)
                return Net()
            """,
        ),
        attack(
            "table-of-pictures",
            "the training pictures themselves, as a table in the network",
            """
            def train_network(x_train, y_train):
                table = F.normalize(x_train.flatten(1), dim=1)
                labels = F.one_hot(y_train, 10).float()
                class Nearest(nn.Module):
                    def forward(self, x):
                        near = F.normalize(x.flatten(1), dim=1) @ table.T
                        return (50 * near).softmax(1) @ labels
                return Nearest()
            """,
        ),
        attack(
            "asks-a-thread",
            "a thread that was started before answers for the network",
            """
            from concurrent.futures import ThreadPoolExecutor
            pool = ThreadPoolExecutor(1)
            def train_network(x_train, y_train):
                model = fitted(small(), x_train, y_train).eval()
                class Net(nn.Module):
                    def forward(self, x):
                        return pool.submit(lambda: torch.tensor(model(x).tolist())).result()
                return Net()
            """,
        ),
        attack(
            "forged-accuracy",
            "writes an accuracy into the observation",
            """
            from course.checks.probes import training_run
            def hand_over(network, x, classes, notes):
                notes.seen.update({"accuracy": 1.0, "parameters": 1, "seconds": 0.1, "by itself": True,
                                   "random": False, "confusion": "none", "network": "done"})
            training_run.hand_over = hand_over
            def train_network(x_train, y_train):
                return small()
            """,
            flag="tampering",
        ),
        attack(
            "forged-recording",
            "a recording with an operator that reads a file",
            """
            from course.checks.probes import training_run
            def hand_over(network, x, classes, notes):
                notes.seen.update({"network": "recorded", "numbers": [], "output": 1, "size": 300,
                 "operators of the network": ['["from_file.default", ["/etc/passwd", false, 9], {}, [1]]']})
            training_run.hand_over = hand_over
            def train_network(x_train, y_train):
                return small()
            """,
            flag="tampering",
        ),
        attack(
            "memory-bomb",
            "a recording that asks for terabytes",
            """
            from course.checks.probes import training_run
            def hand_over(network, x, classes, notes):
                line = '["zeros.default", [[1000000, 1000000]], {}, [1]]'
                notes.seen.update({"network": "recorded", "numbers": [], "output": 1, "size": 300,
                    "operators of the network": [line]})
            training_run.hand_over = hand_over
            def train_network(x_train, y_train):
                return small()
            """,
            flag="tampering",
        ),
    )


def _weights() -> str:
    """Weights of `small`, trained on the data set that everybody can see."""
    import io

    import torch
    from torch import nn
    from torch.nn import functional as F

    from course.capstone_data import draw_task

    names: dict[str, object] = {}
    exec(code(_SMALL), names)
    task = draw_task(0)
    torch.manual_seed(0)
    model = names["fitted"](names["small"](), task.x_train, task.y_train)  # type: ignore[operator]
    assert isinstance(model, nn.Module)
    assert F.cross_entropy(model.eval()(task.x_held_out), task.y_held_out) < 1
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return b64encode(file.getvalue()).decode()

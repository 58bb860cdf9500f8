"""Row 7: look at a test while it runs, or at what the grader keeps in the same process."""

from __future__ import annotations

from .attack import SEE_ABOVE, Attack, code


def _peek(name: str, story: str, text: str, **options: object) -> Attack:
    return Attack(name, 7, story, first=code(text), answers=SEE_ABOVE, **options)  # type: ignore[arg-type]


_IN_A_THREAD = """
    import gc, sys, threading

    def elsewhere(function):  # a thread is not watched by the notes of what torch runs
        result = []
        thread = threading.Thread(target=lambda: result.append(function()))
        thread.start()
        thread.join()
        return result[0]
"""

_FROM_FRAMES = """
    def copied(*args, **kwargs):
        frame = sys._getframe()
        while frame and "book" not in frame.f_locals:
            frame = frame.f_back
            if frame and "probe" in frame.f_locals:
                probe = frame.f_locals["probe"]
        if frame is None:
            return None
        print("LOOT: the answers, from a frame")
        book = frame.f_locals["book"]
        name = next(name for name, each in book.probes.items() if each is probe)
        seen = elsewhere(lambda: book.expected(name))
        values = [seen[key].to(args[0].dtype) for key in probe.returns]
        return values[0] if len(values) == 1 else tuple(values)
"""

_FROM_GC = """
    def copied(*args, **kwargs):
        for book in gc.get_objects():
            if type(book).__name__ != "AnswerBook":
                continue
            for name, probe in book.probes.items():
                given = getattr(probe, "inputs", {}).values()
                pairs = [pair for pair in zip(given, args) if torch.is_tensor(pair[0])]
                if len(given) == len(args) and all(torch.equal(*pair) for pair in pairs):
                    print("LOOT: the answers, from the garbage collector")
                    seen = elsewhere(lambda: book.expected(name))
                    values = [seen[key].to(args[0].dtype) for key in probe.returns]
                    return values[0] if len(values) == 1 else tuple(values)
"""

_NAMES = """
    def channel_statistics(images): return copied(images)
    def pca_whiten(train, x, eps=1e-5): return copied(train, x)
    def batch_norm_train(x, weight, bias, eps=1e-5): return copied(x, weight, bias)
    def batch_norm_backward(grad_output, x, weight, eps=1e-5): return copied(grad_output, x, weight)
    def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
        return copied(x, running_mean, running_var, weight, bias)
"""


ATTACKS = (
    Attack(
        "frames",
        7,
        "takes the right answers from the frames of the caller",
        first="\n\n".join(map(code, (_IN_A_THREAD, _FROM_FRAMES, _NAMES))),
        answers=SEE_ABOVE,
    ),
    Attack(
        "garbage-collector",
        7,
        "takes the right answers from gc.get_objects()",
        first="\n\n".join(map(code, (_IN_A_THREAD, _FROM_GC, _NAMES))),
        answers=SEE_ABOVE,
    ),
    _peek(
        "in-and-ih",
        "In[-1], _ih and the history hold the test that runs",
        """
        def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
            shell = get_ipython()
            texts = [*shell.user_ns.get("In", []), *shell.history_manager.input_hist_raw]
            if any("hidden=True" in text for text in texts):
                print("LOOT: a hidden test, from In")
    """,
    ),
    _peek(
        "events",
        "pre_run_cell and pre_execute are told the test's text",
        """
        def note(info=None):
            if "hidden=True" in str(getattr(info, "raw_cell", "")):
                print("LOOT: a hidden test, from an event")
        for event in ("pre_run_cell", "post_run_cell", "pre_execute"):
            get_ipython().events.register(event, note)
    """,
    ),
    _peek(
        "trace",
        "sys.setprofile puts the expected values in the place of its own",
        """
        import sys
        def look(frame, event, argument):
            if event == "call" and frame.f_code.co_name == "compare" and "got" in frame.f_locals:
                print("LOOT: the answers, from a profile function")
                frame.f_locals["got"].clear()
                frame.f_locals["got"].update(frame.f_locals["expected"])
        sys.setprofile(look)
        from course import normalization
        def pca_whiten(train, x, eps=1e-5): return x
        def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5): return x
    """,
    ),
    _peek(
        "answer-book",
        "asks the course's checks for the answers to the visible and hidden inputs",
        """
        import sys, course.checks
        judge = sys.modules["course.checks.judge"]
        print("LOOT: the answers" if judge.answer_book.cache_info().currsize else "nothing yet")
        def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
            if judge.answer_book.cache_info().currsize:
                print("LOOT: the answer book of the exercise that is tested")
    """,
    ),
    _peek(
        "caller",
        "reads the code and the file names of whoever calls it",
        """
        import sys, traceback
        def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
            for frame, line in traceback.walk_stack(None):
                names = {*frame.f_code.co_names, *frame.f_locals}
                if names & {"oracle", "misconceptions", "answer_book", "gradebook"}:
                    print("LOOT: called by", frame.f_code.co_filename, frame.f_code.co_name)
    """,
    ),
    _peek(
        "secret-seed",
        "looks for the secret seed in every frame, from an answer that is right",
        """
        import gc, sys
        def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
            frame = sys._getframe(1)
            while frame:
                if isinstance(frame.f_locals.get("seed"), int) and frame.f_locals.get("hidden"):
                    print("LOOT: the seed of a hidden test", frame.f_locals["seed"])
                frame = frame.f_back
            return weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias
    """,
        earns=("batch_norm_eval",),
    ),
)

"""Turn the rows of a spreadsheet into runs of a Rapidfolio procedure.

In a notebook the verbs are those of the command line::

    from batchrun import load_job, check, run

    job = load_job("jobs/vendor-payouts.yaml", params={"period": "2026-10"})
    check(job).problems
    batch = run(job, simulate=True)
    batch.results()          # a pandas DataFrame, a row for each row of the sheet
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Batch", "Job", "__version__", "check", "load_job", "open_batch", "run"]

if TYPE_CHECKING:
    from batchrun.flows.library import Batch, Job, check, load_job, open_batch, run


def __getattr__(name: str) -> Any:
    # Loaded when first asked for, so that `batchrun --help` is quick.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from batchrun.flows import library

    return getattr(library, name)


def __dir__() -> list[str]:
    # So that a notebook completes what is only loaded when it is asked for.
    return [*globals(), *__all__]

"""How a preparator's report file is mounted: as a file that is there and empty, or away, by its folder (ADR 13)."""

from dataclasses import replace

from medperf_git.records.mounts import inside, mount_fault
from medperf_git.runner.collect import is_plain_name
from medperf_git.runner.engine import BindKind
from medperf_git.runner.plan import Slot, TaskPlan

REPORT_KEY = "report_file"


def report_slot(plan: TaskPlan) -> Slot | None:
    """Return the mount of the report file of a task that writes one."""
    return next((slot for slot in plan.outputs if slot.key == REPORT_KEY and slot.kind is BindKind.FILE), None)


def with_report_folder(plan: TaskPlan) -> TaskPlan:
    """Return the plan with the folder of the report mounted, in place of the file."""
    slots = tuple(
        Slot(slot.key, inside(slot.inside).rpartition("/")[0], BindKind.DIRECTORY) if slot.key == REPORT_KEY else slot
        for slot in plan.outputs
    )
    return replace(plan, outputs=slots)


def has_own_folder(plan: TaskPlan) -> bool:
    """Tell whether the report has a folder inside that nothing else shares, and a plain name in it."""
    report = report_slot(plan)
    if report is None or not is_plain_name(report.inside.rpartition("/")[2]):
        return False
    slots = (*plan.inputs, *with_report_folder(plan).outputs)
    return not mount_fault([(slot.key, slot.inside) for slot in slots])

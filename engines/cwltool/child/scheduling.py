"""Running independent jobs side by side, within the cores and the memory that the run may use.

cwltool's own parallel executor refuses a job that asks for more than there is, which its plain one doesn't; here such a
job runs alone.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from cwltool.errors import WorkflowException
from cwltool.executors import JobExecutor
from cwltool.job import JobBase
from schema_salad.exceptions import ValidationException


class Scheduler(JobExecutor):  # type: ignore[misc]
    """Starts jobs in the order in which cwltool makes them, as soon as each fits beside those that run."""

    def __init__(self, *, cores: float, memory: float) -> None:
        super().__init__()
        self.cores = cores
        self.memory = memory
        self._running: list[Any] = []
        self._failures: list[Exception] = []
        self._folders = threading.Lock()

    def run_jobs(self, process: Any, job_order_object: Any, logger: logging.Logger, runtime_context: Any) -> None:
        """The entry that cwltool calls: make the jobs, start them, wait for the last one."""
        lock: threading.Condition = runtime_context.workflow_eval_lock
        with lock:
            try:
                for job in process.job(job_order_object, self.output_callback, runtime_context):
                    if job is not None:
                        self._start(job, runtime_context, lock)
                    elif self._running:
                        lock.wait()
                    else:
                        logger.error("Workflow cannot make any more progress.")
                        break
                    if self._failures:
                        break
            except (ValidationException, WorkflowException):
                raise
            except Exception as error:
                logger.exception("Got workflow error")
                raise WorkflowException(str(error)) from error
            finally:
                while self._running:
                    lock.wait()
        if self._failures:
            raise self._failures[0]

    def _start(self, job: Any, context: Any, lock: threading.Condition) -> None:
        if getattr(job, "outdir", None):
            self.output_dirs.add(job.outdir)
        if not isinstance(job, JobBase):
            job.run(context, self._folders)
            return
        while self._running and not self._fits(job):
            lock.wait()
        self._running.append(job)
        threading.Thread(target=self._work, args=(job, context, lock), daemon=True).start()

    def _fits(self, job: Any) -> bool:
        wanted = [job, *self._running]
        return (
            sum(float(one.builder.resources["cores"]) for one in wanted) <= self.cores
            and sum(float(one.builder.resources["ram"]) for one in wanted) <= self.memory
        )

    def _work(self, job: Any, context: Any, lock: threading.Condition) -> None:
        failure: Exception | None = None
        try:
            job.run(context, self._folders)
        except (ValidationException, WorkflowException) as error:
            failure = error
        except Exception as error:
            logging.getLogger("cwltool").exception("Got workflow error")
            failure = WorkflowException(str(error))
        with lock:
            if failure is not None:
                self._failures.append(failure)
            self._running.remove(job)
            lock.notify_all()

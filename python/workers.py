"""Work on many things in parallel, each in its own process, so that one that crashes, hangs or takes all memory does not affect the others.

    for path, answer in in_parallel(paths, check):
        if isinstance(answer, Failed):
            print(path, answer)
"""
import collections
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import time

MEMORY = 4 << 30  # bytes that a worker may use in addition to those of this process
LIMIT = 300  # seconds for one thing


class Failed(Exception):
    """The reason why there is no answer."""


def processors():
    """Number of cores that this process may use, at most eight: more would only wait for the disk."""
    return min(8, len(os.sched_getaffinity(0)))


def bound_memory():
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit, most = now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def serve(pipe, others, function):
    """Answer requests until the other end is closed. The parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in others:  # inherited from the parent; a worker does not end while another process has its pipe open
        other.close()
    bound_memory()
    while True:
        try:
            thing = pipe.recv()
        except EOFError:
            return
        try:
            answer = function(thing)
        except MemoryError:
            answer = Failed("out of memory")
        except Exception as problem:  # anything that a damaged file may cause
            answer = problem if isinstance(problem, Failed) else Failed(f"{type(problem).__name__}: {problem}")
        pipe.send(answer)


class Worker:
    """One process and what it works on."""

    def __init__(self, function, others):
        context = multiprocessing.get_context("fork")  # the child has the parent's loaded modules immediately
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=serve, args=(end, [self.pipe, *(other.pipe for other in others)], function), daemon=True)
        self.process.start()
        end.close()
        self.number, self.since = None, 0.0

    def give(self, number, thing):
        self.number, self.since = number, time.monotonic()
        self.pipe.send(thing)

    def answer(self):
        """The answer; a Failed if the process ended without an answer."""
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode or 0
            return Failed(f"a library crashed while reading it ({signal.Signals(-code).name})" if code < 0 else f"its process ended with status {code}")

    def stop(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def in_parallel(things, function, limit=LIMIT):
    """Yield (thing, function(thing)) for all things, in the order in which they finish. The answer is a Failed if function raises, if its
    process dies, or if it takes longer than `limit` seconds."""
    things = list(things)
    waiting, workers = collections.deque(enumerate(things)), []
    try:
        while waiting or any(worker.number is not None for worker in workers):
            while waiting and len(workers) < min(processors(), len(things)):
                workers.append(Worker(function, workers))
            for worker in workers:
                if waiting and worker.number is None:
                    worker.give(*waiting.popleft())
            busy = [worker for worker in workers if worker.number is not None]
            ready = multiprocessing.connection.wait([worker.pipe for worker in busy], timeout=1)
            for worker in busy:
                late = time.monotonic() - worker.since > limit
                if worker.pipe not in ready and not late:
                    continue
                answer = worker.answer() if worker.pipe in ready else Failed(f"it takes longer than {limit} s")
                number, worker.number = worker.number, None
                if isinstance(answer, Failed) and (late or not worker.process.is_alive()):
                    workers.remove(worker)
                    worker.stop()
                yield things[number], answer
    finally:
        for worker in workers:
            worker.stop()
